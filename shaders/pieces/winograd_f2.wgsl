// F(2x2, 3x3): the five transforms of a line. Source: Lavin and Gray 2015, section 4.1, and the adjoints.

const OUTPUTS: u32 = 2u;
const POINTS: u32 = 4u;

// B^T
fn points_of_pixels(v: Points) -> Points {
    return Points(v.a - v.c, v.b + v.c, v.c - v.b, v.b - v.d, vec4f(), vec4f());
}

// A^T
fn outputs_of_points(m: Points) -> Outputs {
    return Outputs(m.a + m.b + m.c, m.b - m.c - m.d, vec4f(), vec4f());
}

// A
fn points_of_outputs(v: Outputs) -> Points {
    return Points(v.a, v.a + v.b, v.a - v.b, -v.b, vec4f(), vec4f());
}

// G
fn points_of_taps(g: Taps) -> Points {
    let s = 0.5 * (g.a + g.c);
    let d = 0.5 * g.b;
    return Points(g.a, s + d, s - d, g.c, vec4f(), vec4f());
}

// G^T
fn taps_of_points(u: Points) -> Taps {
    let s = 0.5 * (u.b + u.c);
    return Taps(u.a + s, 0.5 * (u.b - u.c), s + u.d);
}

