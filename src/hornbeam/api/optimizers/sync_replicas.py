"""`SyncReplicasOptimizer` within one process: gradients of several steps are added up, and their mean is applied once.

TensorFlow keeps the sums on parameter servers and blocks workers on a token queue; here the replicas of one process take turns
in one session, so that the sums are local variables and nobody needs to wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hornbeam.api.control_flow_ops import cond
from hornbeam.api.optimizers.base import Optimizer
from hornbeam.api.variables import assign, assign_add, global_variables, report_uninitialized_variables, scatter_add
from hornbeam.core.constant import constant
from hornbeam.core.control import group
from hornbeam.core.graph import (
    GraphKeys,
    IndexedSlices,
    Operation,
    colocate_with,
    control_dependencies,
    init_scope,
    name_scope,
)
from hornbeam.core.registry import raw
from hornbeam.core.variables import Variable


class SyncReplicasOptimizer(Optimizer):
    """Applies the mean of `replicas_to_aggregate` gradients by another optimizer, and counts one global step for them."""

    def __init__(
        self,
        opt: Optimizer,
        replicas_to_aggregate: int,
        total_num_replicas: int | None = None,
        variable_averages: Any = None,
        variables_to_average: Sequence[Any] | None = None,
        use_locking: bool = False,
        name: str = "sync_replicas",
    ) -> None:
        super().__init__(use_locking, name)
        self._opt = opt
        self._replicas_to_aggregate = replicas_to_aggregate
        self._total_num_replicas = replicas_to_aggregate if total_num_replicas is None else total_num_replicas
        self._variable_averages = variable_averages
        self._variables_to_average = variables_to_average
        self._gradients_applied = False
        self._global_step: Any = None
        self.local_step_init_op: Any = None
        self.chief_init_op: Any = None
        self.ready_for_local_init_op: Any = None

    def compute_gradients(self, *args: Any, **kwargs: Any) -> Any:
        return self._opt.compute_gradients(*args, **kwargs)

    def apply_gradients(self, grads_and_vars: Any, global_step: Any = None, name: str | None = None) -> Operation:
        grads_and_vars = list(grads_and_vars)
        if not grads_and_vars:
            raise ValueError("Must supply at least one variable")
        if global_step is None:
            raise ValueError("Global step is required to check staleness")
        self._global_step = global_step
        given = [(g, v) for g, v in grads_and_vars if g is not None]
        with init_scope():
            local_step = Variable(
                constant(0, global_step.dtype.base_dtype),
                trainable=False,
                collections=[GraphKeys.LOCAL_VARIABLES],
                name="sync_rep_local_step",
            )
            self.local_step_init_op = assign(local_step, global_step)
            self.chief_init_op = group(self.local_step_init_op)
            self.ready_for_local_init_op = report_uninitialized_variables(global_variables())
            sums = [self._sum_of(v) for _, v in given]
            count = Variable(
                constant(0), trainable=False, collections=[GraphKeys.LOCAL_VARIABLES], name="sync_rep_count"
            )
            self._opt._create_slots([v for _, v in given])
        with name_scope(name, self._name):
            added = [self._add(s, g) for s, (g, _) in zip(sums, given, strict=True)]
            arrived = assign_add(count, 1)
            with control_dependencies([*added, arrived]):
                full = raw.GreaterEqual(raw.Identity(arrived), self._replicas_to_aggregate)

                def apply() -> Operation:
                    return self._apply_sums(sums, [v for _, v in given], count, global_step)

                done = cond(full, apply, lambda: raw.NoOp())
                with control_dependencies([done]):
                    step = global_step.read_value() if isinstance(global_step, Variable) else raw.Identity(global_step)
                    train_op = group(assign(local_step, step))
        self._gradients_applied = True
        return train_op

    def _sum_of(self, v: Any) -> Any:
        with colocate_with(v.op):
            zeros = constant(0, v.dtype.base_dtype, shape=v.get_shape())
            return Variable(
                zeros, trainable=False, collections=[GraphKeys.LOCAL_VARIABLES], name=f"{v.op.name}/grad_sum"
            )

    def _add(self, total: Any, grad: Any) -> Any:
        if isinstance(grad, IndexedSlices):
            return scatter_add(total, grad.indices, grad.values)
        return assign_add(total, grad)

    def _apply_sums(self, sums: list[Any], variables: list[Any], count: Any, global_step: Any) -> Operation:
        """Inside the branch that runs when enough gradients are there: apply their mean, then start over."""
        means = [s.read_value() / constant(self._replicas_to_aggregate, s.dtype.base_dtype) for s in sums]
        update = self._opt.apply_gradients(zip(means, variables, strict=True), global_step=global_step)
        with control_dependencies([update]):
            after = [assign(s, raw.ZerosLike(m)) for s, m in zip(sums, means, strict=True)]
            after.append(assign(count, 0))
            if self._variable_averages is not None:
                after.append(self._variable_averages.apply(self._variables_to_average))
        return group(*after)

    def get_slot(self, var: Any, name: str) -> Any:
        return self._opt.get_slot(var, name)

    def get_slot_names(self) -> list[str]:
        return self._opt.get_slot_names()

    def variables(self) -> list[Any]:
        return self._opt.variables()

    def _check_applied(self, what: str) -> None:
        if not self._gradients_applied:
            raise ValueError(f"{what} should be called after apply_gradients().")

    def get_init_tokens_op(self, num_tokens: int = -1) -> Operation:
        """An op to run once before training; nothing waits for tokens here. ValueError for too few of them."""
        self._check_applied("get_init_tokens_op()")
        needed = self._replicas_to_aggregate - self._total_num_replicas
        if num_tokens != -1 and num_tokens < needed:
            raise ValueError(f"Too few tokens to finish the first step: {num_tokens} (given) vs {needed} (needed)")
        return raw.NoOp(name="no_init_tokens")

    def make_session_run_hook(self, is_chief: bool, num_tokens: int = -1) -> Any:
        """A SessionRunHook that runs the optimizer's initialization when a session is created."""
        from hornbeam import _lazy_api

        hook_class = _lazy_api.lookup("train", "SessionRunHook")
        optimizer = self

        class _SyncReplicasHook(hook_class):  # type: ignore[misc,valid-type]
            def begin(self) -> None:
                optimizer._check_applied("begin()")
                self._init = [optimizer.chief_init_op if is_chief else optimizer.local_step_init_op]
                if is_chief:
                    self._init.append(optimizer.get_init_tokens_op(num_tokens))

            def after_create_session(self, session: Any, coord: Any) -> None:
                session.run(self._init)

        return _SyncReplicasHook()


__tf_exports__ = {"train.SyncReplicasOptimizer": "SyncReplicasOptimizer"}
