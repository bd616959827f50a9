"""`bgru prove`: proved properties pass, a refuted one ends with 1 and a waveform, and an empty proof is found."""

import json
from dataclasses import replace

import pytest

from hw.gateware.trits import Unpack
from model.errors import BadInput
from proofs.catalogue import PROOFS
from proofs.proof import Mutant
from proofs.run import DOCS, MARK, listed, markdown, prove, run
from tests.support.paths import ROOT

synthesis = pytest.mark.synthesis
QUICK = ("packed-sums", "unpack")


@synthesis
@pytest.mark.parametrize("name", QUICK)
def test_a_quick_proof_holds_and_refuses_its_mutants(name, tmp_path):
    (outcome,) = prove([PROOFS[name]], 1, tmp_path)
    assert outcome.verdict == "proved" and outcome.trace is None


@synthesis
def test_a_broken_design_is_refuted_with_a_waveform(tmp_path):
    proof = PROOFS["unpack"]
    with proof.mutants[0].applied():
        (outcome,) = prove([replace(proof, mutants=())], 1, tmp_path)
    assert outcome.verdict == "refuted"
    assert outcome.trace == tmp_path / "proofs" / "unpack.vcd"
    assert "$var" in outcome.trace.read_text()


@synthesis
def test_a_proof_that_a_mutant_passes_is_empty(tmp_path):
    harmless = Mutant(Unpack.elaborate, "m = Module()", "m = Module()  # the same")
    (outcome,) = prove([replace(PROOFS["unpack"], mutants=(harmless,))], 1, tmp_path)
    assert outcome.verdict == "empty" and "the same" in outcome.said


@synthesis
def test_one_failure_ends_the_command_with_1(tmp_path, monkeypatch):
    proof = PROOFS["unpack"]

    def broken():
        with proof.mutants[0].applied():
            return proof.make()

    monkeypatch.setitem(PROOFS, "unpack", replace(proof, make=broken, mutants=()))
    with pytest.raises(SystemExit) as ended:
        run(["unpack"], 1, False, tmp_path)
    assert ended.value.code == 1


def test_unknown_names_are_refused(tmp_path):
    with pytest.raises(BadInput, match="no-such"):
        run(["no-such"], 1, False, tmp_path)
    with pytest.raises(BadInput, match="--renew"):
        run(["unpack"], 1, True, tmp_path)


def test_the_list_has_all_proofs():
    assert list(listed().columns[0].cells) == list(PROOFS)


def test_every_proof_names_its_component_and_has_a_mutant():
    for proof in PROOFS.values():
        assert (ROOT / proof.component).is_file(), proof.name
        assert proof.mutants, proof.name
        assert proof.sentence.endswith("."), proof.name
        assert "|" not in proof.sentence, proof.name


def test_the_page_has_the_table_of_the_command():
    page = (ROOT / DOCS).read_text(encoding="utf-8")
    seconds = json.loads((ROOT / DOCS).with_suffix(".json").read_text(encoding="utf-8"))
    assert list(seconds) == list(PROOFS)
    table = page.partition(MARK.format("table"))[2].partition(MARK.format("end of the table"))[0]
    assert table.strip() == markdown(seconds)
