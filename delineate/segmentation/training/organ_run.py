"""A run of the organ model by the clock: it fills what device there is, and goes on when killed."""

from __future__ import annotations

import copy
import csv
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from delineate.errors import InputError
from delineate.segmentation.model import Model
from delineate.segmentation.model_file import read_model
from delineate.segmentation.training.loss import segmentation_loss
from delineate.segmentation.training.organ_cases import LabelledCase, labelled_cases
from delineate.segmentation.training.organ_pool import Pool
from delineate.segmentation.training.organ_start import taken_over
from delineate.segmentation.training.organs import OrganPatches, Plan, Stage, publish
from delineate.segmentation.training.precision import Precision
from delineate.segmentation.training.trainer import fresh_network

__all__ = ["train_organs"]

_CHECKPOINT, _LOG = "checkpoint.pt", "log.csv"
_LEAST_BODIES = 24
_TRIED_STEPS = 6

Report = Callable[[str], None]


@dataclass(slots=True)
class _State:
    network: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer
    step: int = 0
    stage: int = 0
    seconds: float = 0.0
    """Of learning in this stage."""

    @classmethod
    def begun(cls, plan: Plan, device: torch.device, start: Path | None = None) -> _State:
        network = fresh_network(plan.network, plan.arguments, plan.seed)
        if start is not None:
            network.load_state_dict(taken_over(read_model(start), network.state_dict()))
        network = network.to(device)
        average = copy.deepcopy(network).requires_grad_(requires_grad=False)
        optimiser = torch.optim.AdamW(network.parameters(), weight_decay=plan.weight_decay)
        return cls(network.train(), average, optimiser)

    def save(self, path: Path) -> None:
        stored = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "place": [self.step, self.stage, self.seconds],
        }
        partial = path.with_suffix(".partial")
        torch.save(stored, partial)
        partial.replace(path)

    def load(self, path: Path, device: torch.device) -> None:
        stored = torch.load(path, weights_only=True, map_location=device)
        self.network.load_state_dict(stored["network"])
        self.average.load_state_dict(stored["average"])
        self.optimiser.load_state_dict(stored["optimiser"])
        step, stage, self.seconds = stored["place"]
        self.step, self.stage = int(step), int(stage)

    def settle(self, decay: float) -> None:
        """Let the averaged weights follow the learned ones."""
        with torch.no_grad():
            kept: list[torch.Tensor] = list(self.average.parameters())
            now: list[torch.Tensor] = list(self.network.parameters())
            torch._foreach_lerp_(kept, now, 1 - decay)


def train_organs(
    out: Path,
    plan: Plan,
    *,
    pool: Path,
    phantoms: int,
    data: Path | None,
    painters: int = 1,
    device: str = "auto",
    start: Path | None = None,
    report: Report = print,
) -> Model:
    """Paint bodies, learn from them and from labelled CTs, and write a model after each stage.

    Parameters
    ----------
    out
        Holds `checkpoint.pt`, `log.csv` and the models; a run that is there goes on.
    plan
        What to do.
    pool, phantoms, painters
        Folder of painted bodies, how many in the end, and by how many processes.
    data
        Folder of labelled CTs, if there are any.
    device
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    start
        Model folder whose weights a new run begins with; see `organ_start.taken_over`.
    report
        Called with a line of text every few seconds.

    Raises
    ------
    InputError
        If the loss is no longer a number, the run there has other stages, or nothing is painted.
    """
    name = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    precision = Precision.quickest(torch.device(name))
    _agree(out, plan)
    real = [each.to(precision.device) for each in labelled_cases(data)] if data else []
    state = _State.begun(plan, precision.device, start)
    checkpoint = out / _CHECKPOINT
    if checkpoint.exists():
        state.load(checkpoint, precision.device)
        report(f"goes on at step {state.step}, with stage {state.stage + 1} of {len(plan.stages)}")
    if state.stage == len(plan.stages):
        return read_model(out / plan.stages[-1].name)
    with Pool(pool, phantoms, painters, precision.device) as bodies:
        bodies.wait(_LEAST_BODIES)
        report(f"{len(bodies.bodies)} bodies are painted; learning on {precision.device}")
        run = _Run(out, plan, precision, bodies, real, state, report, _sha256(start))
        while True:
            model = run.stage(plan.stages[state.stage])
            state.stage, state.seconds = state.stage + 1, 0.0
            state.network.load_state_dict(state.average.state_dict())
            state.save(checkpoint)
            if state.stage == len(plan.stages):
                return model


def _sha256(start: Path | None) -> str:
    """Of the weights a run began with, if there were any."""
    return "" if start is None else read_model(start).weights[0].sha256


def _agree(out: Path, plan: Plan) -> None:
    """Begin a folder with a plan, or see that it was begun with this one."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(plan), indent=1)
    path = out / "plan.json"
    if path.exists() and path.read_text("utf-8") != text:
        raise InputError(f"{path} holds another plan; go on with that one, or name a new folder")
    path.write_text(text, "utf-8")


class _Run:
    """What the stages share."""

    def __init__(
        self,
        out: Path,
        plan: Plan,
        precision: Precision,
        bodies: Pool,
        real: Sequence[LabelledCase],
        state: _State,
        report: Report,
        began_with: str = "",
    ) -> None:
        self._out, self._plan, self._precision = out, plan, precision
        self._bodies, self._real, self._state, self._report = bodies, real, state, report
        self._began_with = began_with
        self._patches = OrganPatches(bodies.bodies, real, plan)
        self._layout = self._faster_layout()
        self._looked_at_every = 25 if precision.device.type == "cuda" else 1

    def stage(self, stage: Stage) -> Model:
        """Learn until the time of a stage is over; checkpoints and models on the way."""
        state, before, begun = self._state, self._state.seconds, time.monotonic()
        saved, first = begun, state.step
        losses: list[torch.Tensor] = []
        try:
            while state.seconds < stage.seconds:
                self._bodies.gather(1)
                losses.append(self._learn(stage))
                state.seconds = before + time.monotonic() - begun
                over = state.seconds >= stage.seconds
                if len(losses) < self._looked_at_every and not over:
                    continue
                mean = float(torch.stack(losses).mean())
                losses.clear()
                if not math.isfinite(mean):
                    raise InputError(f"the loss became {mean} at step {state.step}; lower the rate")
                self._note(stage, mean, (state.step - first) / (time.monotonic() - begun))
                if time.monotonic() - saved > self._plan.checkpoint_every_s:
                    state.save(self._out / _CHECKPOINT)
                    self._published(stage)
                    saved = time.monotonic()
        except KeyboardInterrupt:
            state.save(self._out / _CHECKPOINT)
            self._published(stage)
            raise
        return self._published(stage)

    def _published(self, stage: Stage) -> Model:
        """Write the averaged weights as the model of a stage."""
        training = {
            "steps": self._state.step,
            "bodies": len(self._bodies.bodies),
            "labelled_cts": [case.name for case in self._real] if stage.real_share else [],
            "device": str(self._precision.device),
            "began_with": self._began_with,
        }
        state = self._state.average.state_dict()
        return publish(state, self._plan, self._out / stage.name, training)

    def _learn(self, stage: Stage) -> torch.Tensor:
        """One step; the loss is left on the device, so that nothing waits for it."""
        state, plan = self._state, self._plan
        share = min(1.0, state.seconds / stage.seconds)
        rate = stage.learning_rate * min(1.0, (state.step + 1) / plan.warmup)
        for group in state.optimiser.param_groups:
            group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * share))
        loss = self._loss(stage.real_share)
        state.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(state.network.parameters(), 5.0)
        state.optimiser.step()
        state.step += 1
        state.settle(min(plan.average, (1 + state.step) / (10 + state.step)))
        return loss.detach()

    def _loss(self, real_share: float) -> torch.Tensor:
        inputs, labels, known = self._patches.batch(self._state.step * self._plan.batch, real_share)
        inputs = inputs.contiguous(memory_format=self._layout)
        with self._precision.autocast():
            logits = self._state.network(inputs)
        return segmentation_loss(logits, labels, known)

    def _faster_layout(self) -> torch.memory_format:
        """The order of samples in memory with which this device computes faster."""
        layouts: tuple[Any, ...] = (torch.contiguous_format, torch.channels_last_3d)
        if self._precision.device.type != "cuda":
            return layouts[1]  # type: ignore[no-any-return]
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
        taken = []
        for layout in layouts:
            self._layout = layout
            self._state.network.to(memory_format=layout)  # type: ignore[call-overload]
            for trial in range(_TRIED_STEPS):
                if trial == _TRIED_STEPS // 2:
                    torch.cuda.synchronize()
                    begun = time.monotonic()
                self._loss(0.0).backward()  # type: ignore[no-untyped-call]
            torch.cuda.synchronize()
            taken.append((time.monotonic() - begun) / (_TRIED_STEPS - _TRIED_STEPS // 2))
        best = layouts[taken.index(min(taken))]
        self._state.network.to(memory_format=best)  # type: ignore[call-overload]
        self._report(f"seconds a step, rows last and channels last: {taken}; takes {best}")
        return best  # type: ignore[no-any-return]

    def _note(self, stage: Stage, loss: float, pace: float) -> None:
        state, bodies = self._state, len(self._bodies.bodies)
        path = self._out / _LOG
        fresh = not path.exists()
        with path.open("a", newline="") as stream:
            writer = csv.writer(stream)
            if fresh:
                writer.writerow(["stage", "step", "seconds", "loss", "bodies", "steps_a_second"])
            row = [stage.name, state.step, f"{state.seconds:.1f}", f"{loss:.4f}", bodies]
            writer.writerow([*row, f"{pace:.3f}"])
        patches = pace * self._plan.batch
        self._report(
            f"{stage.name} {state.seconds:.0f}/{stage.seconds:.0f} s, step {state.step}, "
            f"loss {loss:.3f}, {patches:.1f} patches/s, {bodies} bodies"
        )
