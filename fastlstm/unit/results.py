"""What `gradients` gives: by name, and with steps=True at every step and whatever the size."""

from dataclasses import dataclass, field

import numpy as np

from fastlstm.kernel.step_gradients import NAMES
from fastlstm.names import PARAMETERS
from fastlstm.unit.inputs import Array, size_in_words

LOG10_2 = 0.30102999566398119521
STEP_NAMES = tuple(name for name in NAMES if name != "x")


class NoSuchGradient(KeyError):
    """There is no gradient of that name."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, repr=False)
class Gradients:
    """dL/d(params) (draws, 14) in the order of PARAMETERS, dL/dx (draws, steps), dL/dh_0 and dL/dC_0 (draws,).

    Examples
    --------
    >>> import fastlstm
    >>> grads = fastlstm.gradients([0.5] * 14, [0.0, 1.0, 2.0], [0.0, 0.0, 1.0])
    >>> grads.params.shape, grads.x.shape, grads.h0.shape
    ((1, 14), (1, 3), (1,))
    >>> bool(grads["b_y"] == grads.params[:, fastlstm.PARAMETERS.index("b_y")])
    True
    """

    params: Array
    x: Array
    h0: Array
    C0: Array

    def __repr__(self) -> str:
        return f"{type(self).__name__} of {size_in_words(self.x)}"

    @property
    def names(self) -> tuple[str, ...]:
        """What may stand in brackets."""
        return (*PARAMETERS, "x", "h0", "C0")

    def __getitem__(self, name: str) -> Array:
        """A gradient by its name: of a parameter, h0 or C0 (draws,), of x (draws, steps). Raises NoSuchGradient."""
        if name in PARAMETERS:
            return self.params[:, PARAMETERS.index(name)]
        if name in ("x", "h0", "C0"):
            values: Array = getattr(self, name)
            return values
        more = "; steps=True adds those of every step" if name in STEP_NAMES else ""
        raise NoSuchGradient(f"{name!r} is no gradient{more}; the names are {', '.join(self.names)}")


@dataclass(frozen=True)
class Scaled:
    """Numbers of any size: size * 2^exponent."""

    sizes: Array
    exponents: Array

    @classmethod
    def of(cls, sizes: Array, exponents: Array) -> "Scaled":
        """The same numbers in float64, with integers of 64 bits."""
        return cls(sizes.astype(np.float64), exponents.astype(np.int64))

    def put(self, places: Array, others: "Scaled", chosen: Array) -> None:
        """Take the chosen ones of others."""
        self.sizes[places], self.exponents[places] = others.sizes[chosen], others.exponents[chosen]

    def values(self, dtype: str) -> Array:
        """In a type; inf or 0 where they leave its range."""
        with np.errstate(over="ignore", under="ignore"):
            values: Array = np.ldexp(self.sizes, self.exponents).astype(dtype, copy=False)
        return values

    def log10(self) -> Array:
        """log10 of the absolute values, in float64; -inf for a true 0."""
        with np.errstate(divide="ignore"):
            logs: Array = np.log10(np.abs(self.sizes.astype(np.float64))) + self.exponents * LOG10_2
        return logs


@dataclass(frozen=True, repr=False)
class StepGradients(Gradients):
    """Gradients, and those of every step by name, (draws, steps); `log10` and `sign` know all of them at any size.

    dh, dC                  of the states h_t and C_t
    df, di, do, dg          of the gates and the candidate (B4 to B7)
    dz_f, dz_i, dz_o, dz_c  of what goes into them (B8); dz_y: of what goes into the output (B1)
    dW_hf_t ... dW_hc_t     the terms dz_k,t h_{t-1} whose sums over t are the gradients of W_hf ... W_hc (B9)

    Examples
    --------
    A thousand steps behind a forget gate of s(-4): float64 has no number as small as the gradient of C_1.

    >>> import numpy as np
    >>> import fastlstm
    >>> params = dict.fromkeys(fastlstm.PARAMETERS, 0.0) | {"b_f": -4.0, "b_i": 1.0, "b_c": 1.0, "W_y": 1.0}
    >>> grads = fastlstm.gradients(params, np.zeros((1, 1000)), loss="last", steps=True)
    >>> float(grads["dC"][0, 0]), round(float(grads.log10("dC")[0, 0]), 3), float(grads.sign("dC")[0, 0])
    (0.0, -1744.358, 1.0)
    """

    _steps: dict[str, Array] = field(repr=False)
    # Which draws have a number that may have left the range on its way, and their numbers, (those draws, steps)
    _rare: Array = field(repr=False)
    _rare_steps: dict[str, Scaled] = field(repr=False)
    _all: dict[str, Scaled] = field(repr=False)  # params (draws, 14) and state (draws, 2: h_0, C_0) of all draws

    @property
    def names(self) -> tuple[str, ...]:
        """What may stand in brackets."""
        return (*super().names, *STEP_NAMES)

    def __getitem__(self, name: str) -> Array:
        """A gradient by its name: also those of every step, (draws, steps). Raises NoSuchGradient."""
        return self._steps[name] if name in STEP_NAMES else super().__getitem__(name)

    def log10(self, name: str) -> Array:
        """log10 of the absolute values of a gradient in float64, also of those beyond the range; -inf for a true 0."""
        return self.scaled(name).log10()

    def sign(self, name: str) -> Array:
        """The signs of a gradient, also of values beyond the range; 0 for a true 0."""
        signs: Array = np.sign(self.scaled(name).sizes)
        return signs

    def scaled(self, name: str) -> Scaled:
        """A gradient by its name, or "params" or "state" (h0, C0), in numbers of any size."""
        if name in self._all:
            return self._all[name]
        if name in PARAMETERS:
            params, place = self._all["params"], PARAMETERS.index(name)
            return Scaled(params.sizes[:, place], params.exponents[:, place])
        if name in ("h0", "C0"):
            state, place = self._all["state"], ("h0", "C0").index(name)
            return Scaled(state.sizes[:, place], state.exponents[:, place])
        values = self[name]
        scaled = Scaled.of(values, np.zeros(values.shape, np.int64))
        if len(self._rare):
            scaled.put(self._rare, self._rare_steps[name], np.arange(len(self._rare)))
        return scaled
