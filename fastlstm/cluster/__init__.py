"""Work shared among the workers of a Dask cluster: who they are, tasks sent and results taken, in any order.

Nothing here knows what the tasks are about. Only this room imports `distributed`, the extra `fastlstm[dask]`.
"""
