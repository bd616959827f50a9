"""The random network of the paper's size."""

from cosim.measure.paper_size import paper_sized


def test_the_network_of_the_papers_size_does_not_share_a_folder_with_the_shipped_one():
    made = paper_sized()
    assert made.name == "random-paper-size"
    assert [(layer.inputs, layer.units) for layer in made.layers] == [(2052, 1024), (1024, 513)]
    assert made.front_end.frame_rate == 62.5
