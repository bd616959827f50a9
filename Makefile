# The commands of the project; `make help` lists them. Each calls `bgru`, whose --help has all options.

PYTHON ?= python3
VENV ?= .venv
BOARD ?= ulx3s_85f
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
BGRU := $(BIN)/python -m bgru
NETWORK := --board $(BOARD) $(if $(BUNDLE),--bundle "$(BUNDLE)")
LAYOUT := $(NETWORK) $(foreach fold,$(FOLD),--fold $(fold))
DESIGN := $(LAYOUT) $(if $(CLOCK),--clock $(CLOCK))

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help sim plan verilog bitstream host loop prove ip report bench compare baselines denoise train speed study test quick check format constraints clean

help:  ## List the commands.
	@grep -hE '^[a-z]+:.*## ' Makefile | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'
	@echo "Variables: BOARD=$(BOARD) BUNDLE=dir RECORDING=$(RECORDING) SIM=verilator|icarus WAVES=1 FRAMES=n"
	@echo "           RATE=125 CLOCK=100 PORT=tty OUTPUT=file NETLIST=1 SOUND=codec|microphone|jack|uart AUDIO=1 FOLD='gru0=2x64 mask=1x32' PRESET=small SPEECH=dir NOISE=dir OUT=dir"

sim: $(VENV)/sim.installed  ## Run the recording through the RTL and compare every bit and every sample.
	@$(BGRU) sim $(DESIGN) --recording "$(RECORDING)" --sim $(SIM) \
		$(if $(FRAMES),--frames $(FRAMES)) $(if $(filter-out 0,$(WAVES)),--waves) \
		$(if $(filter-out 0,$(NETLIST)),--netlist)
ifeq ($(SIM)$(filter-out 0,$(WAVES)),verilator)
	@$(BGRU) sim $(DESIGN) --recording "$(RECORDING)" --samples $(if $(FRAMES),--frames $(FRAMES)) \
		$(if $(filter-out 0,$(NETLIST)),--netlist)
endif

plan: $(VENV)/sim.installed  ## Foldings of a network on a board: latency against LUT4, or the least for RATE= frames/s.
	@$(BGRU) plan $(DESIGN) $(if $(RATE),--frame-rate $(RATE)) $(if $(SOUND),--sound $(SOUND))

bitstream: $(VENV)/sim.installed  ## A bitstream for a board, from the plan to the file.
	@$(BGRU) bitstream $(DESIGN) $(if $(SOUND),--sound $(SOUND))

verilog: $(VENV)/sim.installed  ## Write Verilog for a board, synthesise it and count.
	@$(BGRU) verilog $(DESIGN)

host: $(VENV)/sim.installed  ## Denoise RECORDING through a board: PORT=/dev/ttyUSB1 OUTPUT=file.wav.
	@test -n "$(PORT)" || { echo "error: expected a serial port, as in make host PORT=/dev/ttyUSB1"; exit 2; }
	@$(BGRU) host --port "$(PORT)" $(NETWORK) $(if $(filter-out 0,$(AUDIO)),--audio,--loop-check) "$(RECORDING)" "$(OUTPUT)"

prove: $(VENV)/sim.installed  ## Prove what must never happen in the hardware, for every input.
	@$(BGRU) prove

loop: $(VENV)/sim.installed  ## The same host against the simulated board, every mask compared.
	@$(BGRU) loop $(LAYOUT) $(if $(filter-out 0,$(AUDIO)),--audio) "$(RECORDING)" "$(OUTPUT)"

ip: $(VENV)/sim.installed  ## The network as a core with AXI4-Stream and Wishbone, for FuseSoC.
	@$(BGRU) ip $(LAYOUT)

report: $(VENV)/sim.installed  ## Estimate, simulation, synthesis and placement: a table, and a page for the browser.
	@$(BGRU) report $(DESIGN)

bench: $(VENV)/sim.installed  ## Measure every performance figure next to its reference.
	@$(BGRU) bench $(NETWORK) --recording "$(RECORDING)"

compare: $(VENV)/sim.installed  ## Fail where a unit or a preset takes more than its baseline.
	@$(BGRU) compare

baselines: $(VENV)/sim.installed  ## Measure every unit and preset again and write baselines.json.
	@$(BGRU) compare --renew

denoise: $(VENV)/sim.installed  ## Denoise RECORDING with the golden model, the hardware's bits: OUTPUT=file.wav.
	@$(BGRU) denoise $(if $(BUNDLE),--bundle "$(BUNDLE)") "$(RECORDING)" "$(OUTPUT)"

train: $(VENV)/train.installed  ## Train a network: SPEECH=dir NOISE=dir PRESET=small (installs torch).
	@test -n "$(SPEECH)" -a -n "$(NOISE)" || { \
		echo "error: expected two folders of recordings, as in make train SPEECH=dir NOISE=dir"; exit 2; }
	@$(BGRU) train --preset $(PRESET) --speech "$(SPEECH)" --noise "$(NOISE)" --out $(OUT)

speed: $(VENV)/train.installed  ## Measure training next to torch.nn.GRU of the same shape.
	@$(BGRU) speed

study: $(VENV)/study.installed  ## Train and score the study's rows: ROWS=all DATA=dir UNITS=1024.
	@test -n "$(DATA)" || { echo "error: expected the folder with paper/ and open/, as in make study DATA=dir"; exit 2; }
	@$(BGRU) study references --data "$(DATA)"
	@$(BGRU) study run $(ROWS) --data "$(DATA)" --units $(UNITS)
	@$(BGRU) study tables

test: check  ## Everything that must hold: the checks, then the tests.
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

quick: check  ## The checks, the tests of what changed since the last commit, and all that need no simulator, synthesis or training.
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder --quick

check: $(VENV)/dev.installed  ## Formatting, lint and types.
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

$(VENV)/onnx.installed: $(VENV)/sim.installed
	@echo "installing what writes ONNX models into $(VENV)"
	@$(PIP) --editable '.[onnx]'
	@touch $@

$(VENV)/study.installed: $(VENV)/train.installed
	@echo "installing what the study compares with into $(VENV)"
	@$(PIP) --editable '.[study]'
	@touch $@

$(VENV)/dev.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing the simulation side, the training side and the development tools into $(VENV)"
	@$(PIP) --editable '.[train,dev]'
	@touch $(VENV)/sim.installed $(VENV)/train.installed $@
