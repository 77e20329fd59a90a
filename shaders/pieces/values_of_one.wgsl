// Shared piece: an invocation computes one element.

alias Value = f32;
const WIDTH: u32 = 1u;

fn sum_of(value: Value) -> f32 { return value; }
