// A place along the taps of a convolution's kernel, channels innermost and rounded up to four: moves without division.

struct Tap { ky: u32, kx: u32, c: u32 }

fn tap_at(k: u32) -> Tap {
    let tap = k / p.c_padded;
    return Tap(tap / p.kw, tap % p.kw, k % p.c_padded);
}

fn tap_next(from_tap: Tap) -> Tap {
    var tap = from_tap;
    tap.c += DEPTH;
    while tap.c >= p.c_padded {
        tap.c -= p.c_padded;
        tap.kx += 1u;
        if tap.kx == p.kw {
            tap.kx = 0u;
            tap.ky += 1u;
        }
    }
    return tap;
}

