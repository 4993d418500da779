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
    units: Annotated[
        int | None,
        typer.Option(min=10, help="约多少个单元 / about how many units (by default 10 000 m² each)"),
    ] = None,
    communities: Annotated[
        int, typer.Option(min=6, max=1000, help="社区数，决定城市大小 / how large the city is")
    ] = 240,
    files_only: Annotated[
        Path | None,
        typer.Option("--files-only", metavar="DIR", help="只写文件 / only write the files, into DIR"),
    ] = None,
    as_json: output.AsJson = False,
) -> None:
    """合成城市：写出文件、装载、建单元、拟定并批准首版方案 / The synthetic city: files, loads, units, first plan."""
    from etl.sample import SampleSpec, write

    spec = SampleSpec(seed=seed, cases=cases, communities=communities)
    if files_only is not None:
        with output.progress() as progress:
            written = write(spec, files_only, progress)
        output.result({"folder": str(files_only), "manifest": str(written.manifest)}, as_json)
        return
    from api.cli.sample_city import make

    with output.progress() as progress:
        made = make(edge.database(), spec, units, progress)
    output.result(made.as_dict() if as_json else made.lines(edge.lang()), as_json)
    if not as_json:
        output.say(*made.summary())
    raise typer.Exit(made.exit_code)
