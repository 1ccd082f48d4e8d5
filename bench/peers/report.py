"""Tables, ratios and a picture of what run.sh measured: python3 report.py RESULTS [--plot FILE.svg]"""

import argparse
import collections
import datetime
import pathlib
import statistics

WHAT = {"prefill512": "prefill of 512", "decode": "decode"}


class Results:
    """Samples by engine, shape, format and kind; limits and costs by shape, format and kind; the machine's peaks."""

    def __init__(self, text):
        self.speed, self.limit, self.cost, self.machine = (collections.defaultdict(list) for _ in range(4))
        for line in text.splitlines():
            kind, *key, value = line.split()
            if kind == "limit":
                self.limit[tuple(key)].append(float(value))
            elif kind == "cost":
                self.cost[tuple(key[:-1])] = float(key[-1]), float(value)
            elif kind == "machine":
                self.machine[key[0]].append(float(value))
            else:
                self.speed[(kind, *key)].append(float(value))

    def rows(self):
        """(shape, format, kind) that both engines ran."""
        return [key[1:] for key in self.speed if key[0] == "lamina" and ("llama.cpp", *key[1:]) in self.speed]

    def ratio(self, row):
        return statistics.median(self.speed["lamina", *row]) / statistics.median(self.speed["llama.cpp", *row])


def samples(values):
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def print_report(results):
    print("| shape, format | | lamina, tokens/s | llama.cpp, tokens/s | ratio (by turn) | share of the limit |")
    print("| --- | --- | --- | --- | --- | --- |")
    for row in results.rows():
        ours, theirs = results.speed["lamina", *row], results.speed["llama.cpp", *row]
        by_turn = [a / b for a, b in zip(ours, theirs)]
        print(f"| {row[0]} {row[1]} | {WHAT.get(row[2], row[2])} | {samples(ours)} | {samples(theirs)} | "
              f"{results.ratio(row):.2f} ({min(by_turn):.2f} to {max(by_turn):.2f}) | "
              f"{100 * statistics.median(results.limit[row]):.0f} % |")
    limits = ", ".join(f"{name} {samples(values)}" for name, values in results.machine.items())
    print(f"\nLimits in Gop/s and GB/s: {limits}\n")
    for row in results.rows():
        print(f"ratio {' '.join(row)} {results.ratio(row):.3f}")
    for row in results.rows():
        print(f"limit {' '.join(row)} {statistics.median(results.limit[row]):.3f}")


def machine_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"


def plot(results, path):
    import matplotlib
    matplotlib.use("svg")
    from matplotlib import pyplot

    engines = {"lamina": "#2458a6", "llama.cpp": "#b0b7c3"}
    figure, axes = pyplot.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
    for axis, kind in zip(axes, WHAT):
        rows = [row for row in results.rows() if row[2] == kind]
        for i, (engine, color) in enumerate(engines.items()):
            values = [results.speed[engine, *row] for row in rows]
            middle = [statistics.median(v) for v in values]
            spread = [[m - min(v) for m, v in zip(middle, values)], [max(v) - m for m, v in zip(middle, values)]]
            axis.bar([x + 0.4 * i for x in range(len(rows))], middle, 0.38, yerr=spread, color=color, label=engine)
        axis.set_xticks([x + 0.2 for x in range(len(rows))], [f"{shape} {format}" for shape, format, _ in rows])
        axis.set_title(f"{WHAT[kind]}, tokens/s")
        axis.set_ylim(top=1.25 * axis.get_ylim()[1])  # room for the legend
        axis.legend()

    roof = axes[2]
    read, peak = (statistics.median(results.machine[name]) for name in ("read", "integer"))
    intensities = [2 ** (e / 4) for e in range(-2, 56)]
    roof.loglog(intensities, [min(peak, read * x) for x in intensities], color="black", linewidth=1)
    for engine, color in engines.items():
        points = [(gop / gb, gop * statistics.median(results.speed[engine, *row]))
                  for row in results.rows() for gop, gb in [results.cost[row]]]
        roof.scatter(*zip(*points), color=color, label=engine, s=18, zorder=3)
    roof.set_title("roofline: Gop/s by operations per byte")
    roof.legend()
    figure.suptitle(f"{machine_name()}, {datetime.date.today()}", fontsize=9)
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("--plot", type=pathlib.Path)
    options = parser.parse_args()
    results = Results(options.results.read_text(encoding="utf-8"))
    print_report(results)
    if options.plot:
        plot(results, options.plot)


if __name__ == "__main__":
    main()
