"""Turns the numbers of bench.py into a Markdown table and SVG charts, and puts them into docs/performance.md."""
import json
import re

BEGIN, END = "<!-- bench/run.sh writes from here -->", "<!-- to here -->"
OURS, PEERS = ["mpixcorr", "mpixcorr MKL"], ["scipy", "scipy MKL", "scipy, spectra kept", "OpenCV", "scikit-image"]
COLOURS = {"mpixcorr": "#c0392b", "mpixcorr MKL": "#e08e79", "scipy": "#1f4e79", "scipy, grouped": "#1f4e79",
           "scipy, pair by pair": "#5b8db8", "scipy MKL": "#2e86ab", "scipy MKL, grouped": "#7fb3d5",
           "scipy, spectra kept": "#7f8c8d", "OpenCV": "#27824b", "scikit-image": "#8e6c8a", "FFT floor": "#000000"}


def fastest(work, program, cores):
    """The best setting of a program, by its median."""
    runs = [run for run in work["runs"] if run["program"] == program and run["cores"] == cores]
    return min(runs, key=lambda run: run["median_s"]) if runs else None


def milliseconds(seconds):
    return f"{1e3 * seconds:.3g}" if seconds < 0.1 else f"{1e3 * seconds:.0f}"


def ratio(slow, fast):
    return f"{slow / fast:.1f}" if slow and fast else "–"


# ---- tables --------------------------------------------------------------------------------------------------------


def machine_lines(facts):
    machine, version = facts["machine"], facts["versions"]
    program = version["mpixcorr"]
    named = {"mkl-fft": "mkl_fft", "opencv-python-headless": "OpenCV"}
    libraries = ", ".join(f"{named.get(name, name)} {version[name]}" for name in version if name != "mpixcorr")
    load = facts.get("load_average", [0, 0])
    return [
        f"Measured {facts['date']} by `{facts['command']}` in {facts['took_s'] // 60} min {facts['took_s'] % 60} s, "
        f"{facts['rounds']} round{'s' * (facts['rounds'] > 1)}.",
        "",
        f"- {machine['cpu']}, {machine['cores']} cores ({', '.join(machine['isa'])}; L1d {machine['caches']['L1d']}, "
        f"L2 {machine['caches']['L2']}, L3 {machine['caches']['L3']}), {machine['memory_gib']} GiB; {machine['system']}, "
        f"Linux {machine['kernel']}; load average {load[0]} before, {load[1]} at the end",
        f"- {program[0]}; {'; '.join(' '.join(line.split()) for line in program[1:4])}",
        f"- {libraries}",
    ]


def summary_table(facts):
    """A row a workload: how many times faster than each peer's best, at the same cores."""
    cores = facts["machine"]["cores"]
    lines = ["| | mpixcorr, ms a pair | scipy at its best | OpenCV | scikit-image | scipy, spectra kept | MKL against MKL "
             "| FFT floor, ms | times the floor |", "|---|---|---|---|---|---|---|---|---|"]
    for name, work in facts["workloads"].items():
        for used in sorted({1, cores}):
            ours, mkl = fastest(work, "mpixcorr", used), fastest(work, "mpixcorr MKL", used)
            cells = [f"{name}, {used} core{'s' * (used > 1)}", f"**{milliseconds(ours['median_s'])}**"]
            for program in ("scipy", "OpenCV", "scikit-image", "scipy, spectra kept"):
                run = fastest(work, program, used)
                cells.append(f"{ratio(run['median_s'], ours['median_s'])} x ({milliseconds(run['median_s'])})" if run else "–")
            peer = fastest(work, "scipy MKL", used)
            cells.append(f"{ratio(peer['median_s'], mkl['median_s'])} x ({milliseconds(peer['median_s'])} / "
                         f"{milliseconds(mkl['median_s'])})" if peer and mkl else "–")
            floor = work["floor"]["fftw"]["pair_s"] / used
            cells += [milliseconds(floor), ratio(ours["median_s"], floor)]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def scaling_table(facts):
    lines = ["| | cores | threads of one rank | ranks of one thread |", "|---|---|---|---|"]
    for name, work in facts["workloads"].items():
        one = fastest(work, "mpixcorr", 1)["median_s"]
        runs = [run for run in work["runs"] if run["program"] == "mpixcorr"]
        for cores in sorted({run["cores"] for run in runs} - {1}):
            by = {run["setting"].rpartition(" ")[2]: run["median_s"] for run in runs if run["cores"] == cores}
            lines.append(f"| {name} | {cores} | {one / by['threads']:.2f} x | {one / by['ranks']:.2f} x |")
    return lines


def workload_table(name, work):
    rows, columns, m, n = work["shape"]
    verified = work["verified"]
    text = [f"#### {name}: {rows}x{columns}, templates {m}x{n}, {work['templates_per_image']} an image, crop {work['crop']}",
            "",
            f"mpixcorr's answers: {verified['expected_right']} of {verified['expected']} known places found, "
            + (f"peaks within {verified['expected_peak_error']:.1e} of the direct float64 sums; "
               if verified["expected_peak_error"] is not None else "")
            + f"{verified['maps_right']} of {verified['maps']} whole float64 maps agree (peak within "
            f"{verified['map_peak_error']:.1e}).", "",
            "| program | setting | cores | ms a pair (least … most, runs) | pairs timed | coordinates right "
            "| largest error of a peak |", "|---|---|---|---|---|---|---|"]
    order = {program: i for i, program in enumerate(OURS + PEERS)}
    for run in sorted(work["runs"], key=lambda run: (run["cores"], order[run["program"]], run["median_s"])):
        times = run["per_pair_s"]
        spread = f" ({milliseconds(min(times))} … {milliseconds(max(times))}, {len(times)})" if len(times) > 1 else ""
        text.append(f"| {run['program']} | {run['setting']} | {run['cores']} | {milliseconds(run['median_s'])}{spread} | "
                    f"{run['pairs']} | {run['right']} of {run['checked']} | {run['peak_error']:.1e} |")
    for fft, floor in work["floor"].items():
        text.append(f"| FFT floor | {floor['fft_library']}, {floor['fft_rows']}x{floor['fft_cols']} | 1 | "
                    f"{milliseconds(floor['pair_s'])} | | | |")
    return text + [""] + stage_lines(work)


def stage_lines(work):
    """Where mpixcorr's time goes, on one core."""
    run = fastest(work, "mpixcorr", 1)
    stages, pairs = run["counters"]["stages_s"], run["counters"]["pairs"]
    shown = ["image", "template", "columns", "peak", "certify", "second_tier"]
    parts = [f"{name.replace('_', ' ')} {1e3 * stages[name] / pairs:.3f}" for name in shown if name in stages]
    rest = run["elapsed_s"] - sum(stages[name] for name in shown if name in stages) - stages.get("fft_planning", 0)
    return [f"Milliseconds a pair on one core by stage (last run): {', '.join(parts)}, planning "
            f"{1e3 * stages.get('fft_planning', 0) / pairs:.3f}, all else (start, reading, writing) "
            f"{1e3 * max(0.0, rest) / pairs:.3f}; {run['counters']['candidates_per_pair']:.2f} candidates a pair, "
            f"{run['counters']['second_tier']} pairs in the second tier.", ""]


def sizes_table(rows):
    programs = ["mpixcorr", "mpixcorr MKL", "scipy", "scipy MKL", "OpenCV", "scikit-image"]
    lines = ["| image, template | FFT floor | " + " | ".join(programs) + " | scipy / mpixcorr | MKL / MKL | coordinates right |",
             "|---" * (len(programs) + 5) + "|"]
    for row in rows:
        cells = [f"{row['size']}², {row['template']}²", milliseconds(row["floor_s"])]
        cells += [milliseconds(row["median_s"][p]) if p in row["median_s"] else "–" for p in programs]
        cells += [ratio(row["median_s"].get(peer), row["median_s"].get(ours)) + " x"
                  for peer, ours in (("scipy", "mpixcorr"), ("scipy MKL", "mpixcorr MKL"))]
        wrong = [f"{p} {s['right']} of {s['checked']}" for p, s in row["scores"].items() if s["right"] < s["checked"]]
        cells.append(", ".join(wrong) if wrong else "all")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def accuracy_table(rows):
    programs = list(rows[0]["scores"])
    lines = ["| images | mpixcorr against whole float64 maps | candidates a pair, second tier | "
             + " | ".join(f"{p}: right, largest error of a peak" for p in programs) + " |",
             "|---" * (len(programs) + 3) + "|"]
    for row in rows:
        verified = row["verified"]
        cells = [row["kind"], f"{verified['maps_right']} of {verified['maps']}",
                 f"{row['candidates_per_pair']:.2f}, {row['second_tier']} of {row['pairs']}"]
        cells += [f"{s['right']} of {s['checked']}, {s['peak_error']:.1e}" for s in row["scores"].values()]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def markdown(facts, charts):
    text = machine_lines(facts)
    if facts["workloads"]:
        text += ["", "### In short", "", "Times faster than each peer's best setting at the same number of cores; in "
                 "brackets the peer's milliseconds a pair.", "", *summary_table(facts), "",
                 "### Scaling", "", "Times faster than one core.", "", *scaling_table(facts), ""]
    text += [line for name in charts for line in (f"![{charts[name]}]({name})", "")]
    if facts["workloads"]:
        text += ["### Every setting", ""]
        for name, work in facts["workloads"].items():
            text += workload_table(name, work)
    if "accuracy" in facts:
        text += ["### Less tame tiles", "", "Tiles of `stitch2d`, changed as the first column says; float32 but for the "
                 "first. The image is zero outside itself.", "", *accuracy_table(facts["accuracy"]), ""]
    if "sizes" in facts:
        text += ["### Sizes", "", "Milliseconds a pair on one core: float32 images, five templates an image, an eighth as "
                 "wide, the whole full correlation.", "", *sizes_table(facts["sizes"]), ""]
    return "\n".join(text).rstrip() + "\n"


# ---- charts --------------------------------------------------------------------------------------------------------


def figure(width=7.2, height=4.2, **subplots):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "mpixcorr", "svg.fonttype": "none", "font.size": 10,
                                "font.family": "sans-serif", "axes.spines.top": False, "axes.spines.right": False,
                                "axes.grid": True, "grid.alpha": 0.3, "figure.facecolor": "white"})
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(width, height), layout="constrained", **subplots)


def lines_of(axes, points):
    """points: {label: [(x, y)]} on logarithmic axes."""
    for label, line in points.items():
        ours = label.startswith("mpixcorr")
        axes.plot(*zip(*line), marker="o", markersize=4, label=label, color=COLOURS[label],
                  linewidth=2.2 if ours else 1.5, linestyle="--" if label == "FFT floor" else "-")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.legend(frameon=False, fontsize=9)


def chart_count(facts):
    fig, axes = figure()
    points = {}
    for row in facts["count"]:
        for program, seconds in row["seconds"].items():
            points.setdefault(program, []).append((row["count"], seconds))
    lines_of(axes, points)
    axes.set_xlabel("number of correlations (681x782 with 340x391)")
    axes.set_ylabel("run time, s")
    axes.set_title(f"Run time, {facts['machine']['cores']} cores")
    return fig


def chart_sizes(facts):
    fig, axes = figure()
    points = {}
    for row in facts["sizes"]:
        for program, seconds in {**row["median_s"], "FFT floor": row["floor_s"]}.items():
            points.setdefault(program, []).append((row["size"], 1e3 * seconds))
    lines_of(axes, points)
    axes.set_xticks([row["size"] for row in facts["sizes"]], [str(row["size"]) for row in facts["sizes"]])
    axes.minorticks_off()
    axes.set_xlabel("side of the image, pixels; templates an eighth of it")
    axes.set_ylabel("ms a pair")
    axes.set_title("Time a pair on one core")
    return fig


def chart_scaling(facts):
    fig, axes = figure(ncols=len(facts["workloads"]), width=3.0 * len(facts["workloads"]), height=3.4, sharey=True,
                       squeeze=False)
    for ax, (name, work) in zip(axes[0], facts["workloads"].items()):
        one = fastest(work, "mpixcorr", 1)["median_s"]
        for by, colour in (("threads", "#c0392b"), ("ranks", "#1f4e79")):
            line = [(1, 1.0)] + sorted((run["cores"], one / run["median_s"]) for run in work["runs"]
                                       if run["program"] == "mpixcorr" and run["setting"].endswith(by))
            ax.plot(*zip(*line), marker="o", color=colour, label=by)
        most = line[-1][0]
        ax.plot([1, most], [1, most], color="black", linestyle=":", linewidth=1, label="ideal")
        ax.set_xticks(sorted({x for x, _ in line}))
        ax.set_xlabel("cores")
        ax.set_title(name)
    axes[0][0].set_ylabel("times one core")
    axes[0][0].legend(frameon=False)
    return fig


def chart_fft(facts):
    """Bars: the FFT libraries under mpixcorr and under scipy, best setting on all cores."""
    import numpy as np

    fig, axes = figure(height=3.8)
    cores = facts["machine"]["cores"]
    programs = {"mpixcorr": "mpixcorr, FFTW", "mpixcorr MKL": "mpixcorr, MKL", "scipy": "scipy, pocketfft",
                "scipy MKL": "scipy, MKL"}
    names = list(facts["workloads"])
    ran = {run["program"] for work in facts["workloads"].values() for run in work["runs"]}
    for i, (program, label) in enumerate((program, label) for program, label in programs.items() if program in ran):
        values = [1e3 * fastest(facts["workloads"][name], program, cores)["median_s"] for name in names]
        bars = axes.bar(np.arange(len(names)) + 0.2 * (i - 1.5), values, 0.19, label=label, color=COLOURS[program])
        axes.bar_label(bars, [f"{value:.3g}" for value in values], fontsize=8, padding=2)
    axes.set_yscale("log")
    axes.grid(axis="x", visible=False)
    axes.set_xticks(range(len(names)), names)
    axes.set_ylabel("ms a pair")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("")
    axes.margins(y=0.15)
    fig.suptitle(f"FFT libraries, {cores} cores", fontsize=12)
    axes.legend(frameon=False, fontsize=9, ncol=len(programs), loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return fig


def write_charts(facts, folder):
    """Draws what there are numbers for. Returns {file name: what it shows}."""
    wanted = {}
    if "count" in facts:
        wanted["performance_count.svg"] = (chart_count, "Run time against number of correlations")
    if facts["workloads"] and facts["machine"]["cores"] > 1:
        wanted["performance_scaling.svg"] = (chart_scaling, "Scaling with threads and ranks")
    if facts["workloads"]:
        wanted["performance_fft.svg"] = (chart_fft, "FFT libraries")
    if "sizes" in facts:
        wanted["performance_sizes.svg"] = (chart_sizes, "Time a pair against the size of the image")
    for name, (draw, _) in wanted.items():
        draw(facts).savefig(folder / name, metadata={"Date": None})
        path = folder / name
        path.write_text(re.sub(r"[ \t]+$", "", path.read_text(), flags=re.MULTILINE))
    return {name: text for name, (_, text) in wanted.items()}


def render(facts, folder, docs):
    """Writes table.md and charts to `folder`, and to docs/ where that is asked for."""
    table = markdown(facts, write_charts(facts, folder))
    (folder / "table.md").write_text(table)
    print(f"\n{table}\nresults: {folder}/results.json, table.md, *.svg")
    if docs:
        write_charts(facts, docs)
        (docs / "performance.json").write_text(json.dumps(facts, indent=1) + "\n")
        page = (docs / "performance.md").read_text()
        before, _, rest = page.partition(BEGIN)
        _, _, after = rest.partition(END)
        (docs / "performance.md").write_text(f"{before}{BEGIN}\n\n{table}\n{END}{after}")
        print(f"published: {docs}/performance.md, performance.json, performance_*.svg")
