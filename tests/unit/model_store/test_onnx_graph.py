import onnx
import pytest

from pneumo.model_store.onnx_graph import MESSAGES

NESTED = {"TensorTypeProto": onnx.TypeProto.Tensor, "DimensionProto": onnx.TensorShapeProto.Dimension}
# Protocol buffers write numbers of an enumeration as they write other whole numbers.
ENUMERATION, INT32 = 14, 5


@pytest.mark.parametrize("message", MESSAGES)
def test_the_messages_of_a_graph_are_those_of_onnx(message):
    fields = NESTED.get(message, getattr(onnx, message, None)).DESCRIPTOR.fields_by_number

    for number, words in MESSAGES[message].items():
        *repeated, kind, name = words.split()
        field = fields[number]

        assert field.name == name
        assert field.is_repeated == bool(repeated)
        if field.message_type:
            named = getattr(NESTED.get(kind), "DESCRIPTOR", None) or getattr(onnx, kind).DESCRIPTOR
            assert field.message_type.full_name == named.full_name
        else:
            stored = INT32 if field.type == ENUMERATION else field.type
            assert stored == getattr(type(field), f"TYPE_{kind.upper()}")
