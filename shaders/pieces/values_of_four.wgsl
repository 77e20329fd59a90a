// Shared piece: an invocation computes four neighbours at once.

alias Value = vec4f;
const WIDTH: u32 = 4u;

fn sum_of(value: Value) -> f32 { return (value.x + value.y) + (value.z + value.w); }
