// Four neighbours of the bias; where p.bias is 0, none.

@group(0) @binding(2) var<storage, read> bias: array<f32>;

fn bias4(n: u32) -> vec4f {
    if p.bias == 0u { return vec4f(); }
    let last = p.n - 1u;
    return vec4f(bias[bias_at + n], bias[bias_at + min(n + 1u, last)],
                 bias[bias_at + min(n + 2u, last)], bias[bias_at + min(n + 3u, last)]);
}

