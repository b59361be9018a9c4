"""Puts the table of a run into README.md, between the two lines that say where: python3 tests/bench/into_readme.py [FOLDER]"""

import sys
from pathlib import Path

BEGIN, END = "<!-- table.md of a run begins -->", "<!-- table.md of a run ends -->"


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "target/bench")
    readme = Path(__file__).with_name("README.md")
    before, rest = readme.read_text().split(BEGIN)
    _, after = rest.split(END)
    readme.write_text(f"{before}{BEGIN}\n\n{(folder / 'table.md').read_text().strip()}\n\n{END}{after}")


main()
