"""`wangge sample`: the synthetic city, written as files and loaded like any other city."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli import edge, output
from api.cli.groups import top


@top.command("sample")
def sample(
    seed: Annotated[int, typer.Option(min=0, help="随机种子 / random seed")] = 20261031,
    cases: Annotated[int, typer.Option(min=0, help="案件数 / number of cases")] = 200_000,
    communities: Annotated[
        int, typer.Option(min=6, max=1000, help="社区数（城市大小） / size of the city")
    ] = 240,
    files_only: Annotated[
        Path | None, typer.Option(help="只写文件到此目录 / only write the files here")
    ] = None,
    as_json: output.AsJson = False,
) -> None:
    """写出并装载合成城市（云川市） / Write the synthetic city's files and load them."""
    from etl.sample import SampleSpec, write

    spec = SampleSpec(seed=seed, cases=cases, communities=communities)
    with output.progress() as progress:
        written = write(spec, files_only or edge.settings().home / "sample", progress)
    output.result({"folder": str(written.manifest.parent), "manifest": str(written.manifest)}, as_json)
