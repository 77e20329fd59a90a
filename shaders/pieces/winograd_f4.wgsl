// F(4x4, 3x3): the five transforms of a line. Source: Lavin and Gray 2015, section 4.2, and the adjoints.

const OUTPUTS: u32 = 4u;
const POINTS: u32 = 6u;

// B^T
fn points_of_pixels(v: Points) -> Points {
    let t1 = v.d - 4.0 * v.b;
    let t2 = v.e - 4.0 * v.c;
    let t3 = 2.0 * (v.d - v.b);
    let t4 = v.e - v.c;
    return Points(4.0 * v.a - 5.0 * v.c + v.e, t2 + t1, t2 - t1, t4 + t3, t4 - t3, 4.0 * v.b - 5.0 * v.d + v.f);
}

// A^T
fn outputs_of_points(m: Points) -> Outputs {
    let s1 = m.b + m.c;
    let d1 = m.b - m.c;
    let s2 = m.d + m.e;
    let d2 = m.d - m.e;
    return Outputs(m.a + s1 + s2, d1 + 2.0 * d2, s1 + 4.0 * s2, d1 + 8.0 * d2 + m.f);
}

// A
fn points_of_outputs(v: Outputs) -> Points {
    let even = v.a + v.c;
    let odd = v.b + v.d;
    let far_even = v.a + 4.0 * v.c;
    let far_odd = 2.0 * v.b + 8.0 * v.d;
    return Points(v.a, even + odd, even - odd, far_even + far_odd, far_even - far_odd, v.d);
}

// G
fn points_of_taps(g: Taps) -> Points {
    let s = (g.a + g.c) * (-1.0 / 6.0);
    let d = g.b * (1.0 / 6.0);
    let q = g.a * (1.0 / 24.0) + g.c * (1.0 / 6.0);
    let m = g.b * (1.0 / 12.0);
    return Points(0.25 * g.a, s - d, s + d, q + m, q - m, g.c);
}

// G^T
fn taps_of_points(u: Points) -> Taps {
    let s1 = u.b + u.c;
    let d1 = u.b - u.c;
    let s2 = u.d + u.e;
    let d2 = u.d - u.e;
    return Taps(0.25 * u.a - s1 * (1.0 / 6.0) + s2 * (1.0 / 24.0),
                d2 * (1.0 / 12.0) - d1 * (1.0 / 6.0),
                (s2 - s1) * (1.0 / 6.0) + u.f);
}

