# The commands of the project; `make help` lists them. Each is a `python -m ... --help` away from its options.

PYTHON ?= python3
VENV ?= .venv
BOARD ?= ulx3s_85f
BUNDLE ?= $(if $(filter ulx3s_85f,$(BOARD)),bundles/small,bundles/tiny)
RECORDING ?= samples/noisy.flac
OUTPUT ?= build/denoised.wav
SIM ?= verilator
PRESET ?= small
OUT ?= runs/$(PRESET)
DATA ?= $(BGRU_DATA)
ROWS ?= all
UNITS ?= 1024

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
LAYOUT := --board $(BOARD) --bundle "$(BUNDLE)" $(foreach fold,$(FOLD),--fold $(fold))

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help sim plan verilog bitstream host loop ip report bench compare baselines stream denoise train speed study test check format constraints clean

help:  ## List the commands.
	@grep -hE '^[a-z]+:.*## ' Makefile | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'
	@echo "Variables: BOARD=$(BOARD) BUNDLE=$(BUNDLE) RECORDING=$(RECORDING) SIM=verilator|icarus WAVES=1 FRAMES=n"
	@echo "           RATE=125 CLOCK=100 PORT=tty OUTPUT=file NETLIST=1 FOLD='gru0=2x64 mask=1x32' PRESET=small SPEECH=dir NOISE=dir OUT=dir"

sim: $(VENV)/sim.installed  ## Run the recording through the RTL and compare every bit.
	@$(BIN)/python -m cosim.bench.sim $(LAYOUT) --recording "$(RECORDING)" --sim $(SIM) \
		$(if $(FRAMES),--frames $(FRAMES)) $(if $(filter-out 0,$(WAVES)),--waves) \
		$(if $(filter-out 0,$(NETLIST)),--netlist)

plan: $(VENV)/sim.installed  ## Foldings of a network on a board: latency against LUT4, or the least for RATE= frames/s.
	@$(BIN)/python -m boards.flow.plan $(LAYOUT) $(if $(RATE),--frame-rate $(RATE))

bitstream: $(VENV)/sim.installed  ## A bitstream for a board, from the plan to the file.
	@$(BIN)/python -m boards.flow.bitstream $(LAYOUT) $(if $(CLOCK),--clock $(CLOCK))

verilog: $(VENV)/sim.installed  ## Write Verilog for a board, synthesise it and count.
	@$(BIN)/python -m boards.flow.verilog $(LAYOUT)

host: $(VENV)/sim.installed  ## Denoise RECORDING through a board: PORT=/dev/ttyUSB1 OUTPUT=file.wav.
	@test -n "$(PORT)" || { echo "error: expected a serial port, as in make host PORT=/dev/ttyUSB1"; exit 2; }
	@$(BIN)/python -m boards.host.transfer --port "$(PORT)" --bundle "$(BUNDLE)" --loop-check "$(RECORDING)" "$(OUTPUT)"

loop: $(VENV)/sim.installed  ## The same host against the simulated board, every mask compared.
	@mkdir -p build; rm -f build/port; $(BIN)/python -m cosim.chips.board $(LAYOUT) --link build/port & board=$$!; \
	trap "kill $$board" EXIT; \
	while ! test -e build/port; do kill -0 $$board 2>/dev/null || exit 2; sleep 0.2; done; \
	$(BIN)/python -m boards.host.transfer --port build/port --bundle "$(BUNDLE)" --loop-check "$(RECORDING)" "$(OUTPUT)"

ip: $(VENV)/sim.installed  ## The network as a core with AXI4-Stream and Wishbone, for FuseSoC.
	@$(BIN)/python -m boards.flow.ip $(LAYOUT)

report: $(VENV)/sim.installed  ## Estimate, simulation, synthesis and placement: a table, and a page for the browser.
	@$(BIN)/python -m cosim.report.report $(LAYOUT) $(if $(CLOCK),--clock $(CLOCK))

bench: $(VENV)/sim.installed  ## Measure every performance figure beside its reference.
	@$(BIN)/python -m cosim.measure.benchmark --board $(BOARD) --bundle "$(BUNDLE)" --recording "$(RECORDING)"
	@$(BIN)/python -m cosim.measure.streaming --recording "$(RECORDING)"

compare: $(VENV)/sim.installed  ## Fail where a unit or a preset takes more than its baseline.
	@$(BIN)/python -m cosim.measure.baselines

baselines: $(VENV)/sim.installed  ## Measure every unit and preset anew and write baselines.json.
	@$(BIN)/python -m cosim.measure.baselines --renew

stream: $(VENV)/sim.installed  ## Simulate a network of the paper's size with its weights in SDRAM.
	@$(BIN)/python -m cosim.measure.streaming --recording "$(RECORDING)" $(if $(FRAMES),--frames $(FRAMES))

denoise: $(VENV)/sim.installed  ## Denoise RECORDING with the golden model, the hardware's bits: OUTPUT=file.wav.
	@$(BIN)/python -m model.reference.denoise --bundle "$(BUNDLE)" "$(RECORDING)" "$(OUTPUT)"

train: $(VENV)/train.installed  ## Train a network: SPEECH=dir NOISE=dir PRESET=small (installs torch).
	@test -n "$(SPEECH)" -a -n "$(NOISE)" || { \
		echo "error: expected two folders of recordings, as in make train SPEECH=dir NOISE=dir"; exit 2; }
	@$(BIN)/python -m model.training.train --preset $(PRESET) --speech "$(SPEECH)" --noise "$(NOISE)" --out $(OUT)

speed: $(VENV)/train.installed  ## Measure training beside torch.nn.GRU of the same shape.
	@$(BIN)/python -m model.training.benchmark

study: $(VENV)/study.installed  ## Train and score the study's rows: ROWS=all DATA=dir UNITS=1024.
	@test -n "$(DATA)" || { echo "error: expected the folder with paper/ and open/, as in make study DATA=dir"; exit 2; }
	@$(BIN)/python -m study.references --data "$(DATA)"
	@$(BIN)/python -m study.run $(ROWS) --data "$(DATA)" --units $(UNITS)
	@$(BIN)/python -m study.tables

test: check  ## Everything that must hold: the checks, then the tests.
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile

check: $(VENV)/train.installed $(VENV)/dev.installed  ## Formatting, lint and types.
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: $(VENV)/dev.installed  ## Put the formatting right.
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

constraints: $(VENV)/train.installed $(VENV)/dev.installed  ## Write down the installed versions.
	@sed -n 1p constraints.txt > constraints.new
	@$(BIN)/python -m pip freeze --exclude-editable --exclude setuptools | sed 's/+cpu$$//' >> constraints.new
	@mv constraints.new constraints.txt

clean:  ## Delete what the commands wrote; keeps the environment and the runs.
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis

# The environment: one folder, installed in three steps so that simulation never needs torch.

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; \
		v >= (3, 11) or sys.exit("error: $(PYTHON): expected Python 3.11 or newer, got %d.%d" % v[:2])' || exit 2
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "error: $(PYTHON) can not make a virtual environment; on Debian: apt-get install python3-venv"; exit 2; }

$(VENV)/sim.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing the simulation side into $(VENV)"
	@$(PIP) --editable .
	@touch $@

$(VENV)/train.installed: $(VENV)/sim.installed
	@echo "installing the training side into $(VENV)"
	@$(PIP) torch==2.13.0
	@$(PIP) --editable '.[train]'
	@touch $@

$(VENV)/study.installed: $(VENV)/train.installed
	@echo "installing what the study compares with into $(VENV)"
	@$(PIP) --editable '.[study]'
	@touch $@

$(VENV)/dev.installed: $(VENV)/sim.installed
	@echo "installing the development tools into $(VENV)"
	@$(PIP) --editable '.[dev]'
	@touch $@
