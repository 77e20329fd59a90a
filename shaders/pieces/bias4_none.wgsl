// A product without a bias.

fn bias4(n: u32) -> vec4f { return vec4f(); }

