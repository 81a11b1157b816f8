"""What is measured of a draw: one module for each group of measures, with the group's name.

A module has those of these functions that it needs. `zero` is a register of zeros, `p` the parameters, `done` a Done.

    start(zero)                    its tally before the first step of the forward pass
    add(tally, p, seen)            the tally after a step, of which `seen` is a forward_pass.Seen
    start_back(last)               its tally before the first step of the backward pass, which is step T; last is the
                                   Carry that comes into it through the last state
    add_back(tally, p, seen, out)  the tally after a step, of which `seen` is a backward_pass.SeenBack
    suspect(done)                  where the tallies may have lost something to the range of plain numbers
    columns(done)                  its columns, after both passes
    NEEDS                          the groups whose tallies it reads

A kernel is compiled for the groups that are asked for, and for no others; see `options`.
"""
