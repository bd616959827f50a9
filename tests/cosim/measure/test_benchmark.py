"""The formula that lanes are compared with."""

from cosim.measure.benchmark import finn_lut6


def test_finns_formula_gives_the_figures_that_the_page_about_the_hardware_cites():
    assert [round(finn_lut6(*bits), 1) for bits in ((2, 1), (1, 1), (4, 8))] == [9.9, 6.6, 66.0]
