"""Compare this tree with another checkout of it, such as the one before a change: `python -m bench.before FOLDER`."""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from bench.awake import awake
from bench.cookie import cognito_sized
from bench.load import script, wrk
from bench.measures import Effort
from bench.processes import PROXY_CORE, running
from bench.signin import sign_in
from bench.world import World, world

HERE = Path(__file__).parents[1]


def measured(the_world: World, tree: Path, path: str, seconds: float) -> float:
    """Signed-in requests per CPU-second of the gateway in `tree`, freshly started."""
    settings = str(the_world.folder / "gateway.yaml")
    command = [sys.executable, "-m", "gateway", "run", "-c", settings]
    log = the_world.folder / "gateway.log"
    environ = {"PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"}
    with running("gateway", command, the_world.gateway_port, core=PROXY_CORE, env=environ, log=log) as gateway:
        lua = script(the_world.folder, "signed", cognito_sized(the_world, sign_in(gateway.url + "/1k")))
        wrk(gateway, path, lua, seconds=1)
        return wrk(gateway, path, lua, seconds=seconds).per_cpu_second


def main() -> None:
    """Print each pair, then the median of their ratios: at least 0.97 when nothing was lost."""
    parser = argparse.ArgumentParser(prog="bench.before", description=__doc__)
    parser.add_argument("folder", type=Path, help="the other checkout")
    parser.add_argument("--pairs", type=int, default=Effort.pairs)
    parser.add_argument("--seconds", type=float, default=Effort.seconds)
    parser.add_argument("--path", default="/1k")
    given = parser.parse_args()
    ratios = []
    with awake(), tempfile.TemporaryDirectory() as folder, world(Path(folder)) as the_world:
        for number in range(1, given.pairs + 1):
            before, after = (
                measured(the_world, tree, given.path, given.seconds) for tree in (given.folder.resolve(), HERE)
            )
            ratios.append(after / before)
            print(
                f"pair {number}: before {before:,.0f}, after {after:,.0f} per CPU-second, {ratios[-1]:.3f}", flush=True
            )
    print(f"median {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


if __name__ == "__main__":
    main()
