"""Fixtures of the samplers: sigmas, timesteps and every sample of a loop with a velocity that is a formula.

    python make_scheduler_fixtures.py [OUT]      (torch, diffusers 0.42.1, safetensors)

OUT (fixtures/scheduler.cases.safetensors) has, for each case SOLVER-STEPS-SHIFT:
    /noise f32[n]   /sigmas f32[steps + 1]   /timesteps f32[steps]   /samples f32[steps, n]
Cases with given timesteps are called SOLVER-STEPS-SHIFTgiven and have /given f32[steps] too; LCM adds a formula for noise.
The velocity at (x, t), element i, is  0.8 x / (1 + |x|) + (t / 1000) p_i - 0.3 x  with p_i = ((37 i) mod 101) / 50 - 1.
"""
import os
import sys

import diffusers
import numpy
import torch
from diffusers import DPMSolverMultistepScheduler, FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler
from diffusers.schedulers import scheduling_flow_match_lcm
from safetensors.torch import save_file

N = 96
FLOW = dict(prediction_type="flow_prediction", use_flow_sigmas=True, num_train_timesteps=1000)


def make(solver, shift):
    if solver == "euler":
        return FlowMatchEulerDiscreteScheduler(shift=shift)
    if solver == "lcm":
        return diffusers.FlowMatchLCMScheduler(shift=shift)
    if solver == "unipc":  # as in the scheduler_config.json of Wan 2.1
        return UniPCMultistepScheduler(flow_shift=shift, solver_order=2, solver_type="bh2", **FLOW)
    return DPMSolverMultistepScheduler(flow_shift=shift, algorithm_type="dpmsolver++", solver_order=2, **FLOW)


def velocity(x, t):
    p = ((torch.arange(N) * 37) % 101).float() / 50 - 1
    return 0.8 * x / (1 + x.abs()) + (float(t) / 1000) * p.view_as(x) - 0.3 * x


GIVEN = (
    ("euler", 1.0, [1000, 757, 522]),
    ("euler", 5.0, [1000, 750, 500, 250]),
    ("lcm", 1.0, [1000, 757, 522]),
    ("lcm", 8.0, [1000, 937.5, 833.25, 625]),
    ("unipc", 3.0, [999, 700, 300, 40.5]),
)


def given(tensors):
    for solver, shift, timesteps in GIVEN:
        scheduler = make(solver, shift)
        scheduler.set_timesteps(sigmas=numpy.array(timesteps, dtype=numpy.float32) / 1000)
        x = torch.randn(1, 4, 2, 3, 4, generator=torch.Generator().manual_seed(len(timesteps)))
        case = f"{solver}-{len(timesteps)}-{shift:g}given"
        tensors[f"{case}/noise"] = x.flatten().clone()
        tensors[f"{case}/given"] = torch.tensor(timesteps, dtype=torch.float32)
        samples = []
        for i, t in enumerate(scheduler.timesteps):
            scheduling_flow_match_lcm.randn_tensor = lambda shape, **_: fresh(i).view(shape)
            x = scheduler.step(velocity(x, t), t, x, return_dict=False)[0]
            samples.append(x.flatten().clone())
        tensors[f"{case}/samples"] = torch.stack(samples)
        tensors[f"{case}/sigmas"] = scheduler.sigmas.float().clone()
        tensors[f"{case}/timesteps"] = scheduler.timesteps.float().clone()


def fresh(step):
    return ((torch.arange(N) * 29 + step * 17) % 97).float() / 24 - 2


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "fixtures", "scheduler.cases.safetensors")
    tensors = {}
    for solver in ("euler", "unipc", "dpmpp"):
        for steps, shift in ((1, 3.0), (2, 3.0), (3, 1.0), (4, 5.0), (8, 1.5), (20, 3.0), (20, 8.0), (50, 5.0)):
            scheduler = make(solver, shift)
            scheduler.set_timesteps(steps)
            x = torch.randn(1, 4, 2, 3, 4, generator=torch.Generator().manual_seed(steps))
            case = f"{solver}-{steps}-{shift:g}"
            tensors[f"{case}/noise"] = x.flatten().clone()
            samples = []
            for t in scheduler.timesteps:
                x = scheduler.step(velocity(x, t), t, x, return_dict=False)[0]
                samples.append(x.flatten().clone())
            tensors[f"{case}/samples"] = torch.stack(samples)
            tensors[f"{case}/sigmas"] = scheduler.sigmas.float().clone()
            tensors[f"{case}/timesteps"] = scheduler.timesteps.float().clone()
    given(tensors)
    save_file(tensors, out)
    print(out, len(tensors), "tensors")


if __name__ == "__main__":
    main()
