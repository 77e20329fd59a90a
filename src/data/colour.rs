//! Colour changes as one matrix on RGB.

/// A row of three factors and an offset for each channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Colour([[f64; 4]; 3]);

/// How much red, green and blue weigh in grey. Source: SVG Filter Effects, `feColorMatrix`.
const GREY: [f64; 3] = [0.213, 0.715, 0.072];
const MIDDLE: f64 = 127.5;

impl Colour {
    pub const IDENTITY: Colour = Colour::diagonal(1.0, 0.0);

    const fn diagonal(factor: f64, offset: f64) -> Colour {
        Colour([[factor, 0.0, 0.0, offset], [0.0, factor, 0.0, offset], [0.0, 0.0, factor, offset]])
    }

    /// All values times `factor`, as Keras' `brightness_range`.
    pub fn brightness(factor: f64) -> Colour {
        Colour::diagonal(factor, 0.0)
    }

    /// Distances from middle grey times `factor`.
    pub fn contrast(factor: f64) -> Colour {
        Colour::diagonal(factor, MIDDLE * (1.0 - factor))
    }

    /// Distances from the pixel's own grey times `factor`.
    /// Source: SVG Filter Effects, `feColorMatrix` of type saturate.
    pub fn saturation(factor: f64) -> Colour {
        let entry = |r: usize, c: usize| GREY[c] * (1.0 - factor) + if r == c { factor } else { 0.0 };
        let row = |r: usize| [entry(r, 0), entry(r, 1), entry(r, 2), 0.0];
        Colour([row(0), row(1), row(2)])
    }

    /// Turns the colour wheel by `degrees`; greys stay.
    /// Source: SVG Filter Effects, `feColorMatrix` of type hueRotate.
    pub fn hue(degrees: f64) -> Colour {
        let (sin, cos) = degrees.to_radians().sin_cos();
        const TURN: [[f64; 3]; 3] = [[-0.213, -0.715, 0.928], [0.143, 0.140, -0.283], [-0.787, 0.715, 0.072]];
        let own = |r: usize, c: usize| if r == c { 1.0 } else { 0.0 };
        let entry = |r: usize, c: usize| GREY[c] + cos * (own(r, c) - GREY[c]) + sin * TURN[r][c];
        let row = |r: usize| [entry(r, 0), entry(r, 1), entry(r, 2), 0.0];
        Colour([row(0), row(1), row(2)])
    }

    /// This change of what `first` gives.
    pub fn after(self, first: Colour) -> Colour {
        let row = |a: [f64; 4]| {
            let mut sum = [0.0, 0.0, 0.0, a[3]];
            for (factor, b) in a.iter().zip(first.0) {
                (0..4).for_each(|c| sum[c] += factor * b[c]);
            }
            sum
        };
        Colour(self.0.map(row))
    }

    /// The twelve numbers that [`crate::ops::ColourJitter`] takes.
    pub fn numbers(self) -> [f32; 12] {
        let mut numbers = [0.0; 12];
        numbers.iter_mut().zip(self.0.as_flattened()).for_each(|(to, from)| *to = *from as f32);
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(colour: Colour, rgb: [f64; 3]) -> [f64; 3] {
        colour.0.map(|m| m[0] * rgb[0] + m[1] * rgb[1] + m[2] * rgb[2] + m[3])
    }

    fn near(a: [f64; 3], b: [f64; 3]) -> bool {
        a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9)
    }

    #[test]
    fn greys_keep_their_hue_and_saturation() {
        for colour in [Colour::saturation(0.3), Colour::saturation(2.0), Colour::hue(77.0)] {
            assert!(near(apply(colour, [90.0; 3]), [90.0; 3]), "{colour:?}");
        }
        assert!(near(apply(Colour::saturation(0.0), [255.0, 0.0, 0.0]), [255.0 * 0.213; 3]));
        assert!(near(apply(Colour::hue(0.0), [1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]));
    }

    #[test]
    fn changes_follow_each_other() {
        let both = Colour::contrast(0.5).after(Colour::brightness(2.0));
        assert!(near(apply(both, [10.0, 100.0, 0.0]), [73.75, 163.75, 63.75]));
    }
}
