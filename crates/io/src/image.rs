//! Pictures: PNG, JPEG and the plain formats PGM and PPM, as bytes or as normalised planes of floats.

use crate::file;
use fast_image_resize::images::{Image as Canvas, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use fovea_core::{Error, Result};
use std::io::Cursor;
use std::path::Path;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// What pictures are made into.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// 1 (grey) or 3 (RGB).
    pub channels: usize,
    /// Height and width to resize to, bilinear and antialiased.
    pub size: Option<(usize, usize)>,
    /// The most pixels that a file may say it has.
    pub max_pixels: usize,
}

/// Rows of pixels, the channels of a pixel beside each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    pub data: Vec<u8>,
}

/// Reads a picture. Errors name the file: `DataError` where it can't be read, `FormatError` where it is damaged.
pub fn load(path: &Path, options: &Options) -> Result<Image> {
    file::mapped(path, "image", |raw| decode(raw, options))
}

/// Decodes a file's content.
pub fn decode(raw: &[u8], options: &Options) -> Result<Image> {
    let image = match raw {
        [0x89, b'P', b'N', b'G', ..] => png(raw, options)?,
        [0xff, 0xd8, ..] => jpeg(raw, options)?,
        [b'P', b'5' | b'6', ..] => netpbm(raw, options)?,
        _ => return Err(Error::format("its format is not known").expected("PNG, JPEG, PGM or PPM")),
    };
    let image = image.with_channels(options.channels);
    match options.size {
        Some(size) if size != (image.height, image.width) => image.resized(size),
        _ => Ok(image),
    }
}

/// Refuses sizes past the limit; returns the bytes of the pixels.
fn within(width: usize, height: usize, channels: usize, options: &Options) -> Result<usize> {
    match width.checked_mul(height) {
        Some(0) => Err(Error::format("it has no pixels").received(format!("{width} × {height}"))),
        Some(pixels) if pixels <= options.max_pixels => Ok(pixels * channels),
        _ => Err(Error::format(format!("it has {width} × {height} pixels, more than is allowed"))
            .expected(format!("at most {} pixels", options.max_pixels))
            .received(format!("{width} × {height}"))),
    }
}

fn png(raw: &[u8], options: &Options) -> Result<Image> {
    let broken = |e: png::DecodingError| Error::format(format!("its PNG data is damaged ({e})"));
    // Text and colour profiles are limited by this; pixels are counted below.
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(raw), png::Limits { bytes: 16 << 20 });
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
    let header = decoder.read_header_info().map_err(broken)?;
    let (width, height) = (header.width as usize, header.height as usize);
    within(width, height, 8, options)?;
    let mut limits = png::Limits { bytes: 16 << 20 };
    limits.bytes = limits.bytes.saturating_add(width.saturating_mul(64));
    decoder.set_limits(limits);
    let mut reader = decoder.read_info().map_err(broken)?;
    let channels = match reader.output_color_type() {
        (png::ColorType::Grayscale, _) => 1,
        (png::ColorType::GrayscaleAlpha, _) => 2,
        (png::ColorType::Rgb | png::ColorType::Indexed, _) => 3,
        (png::ColorType::Rgba, _) => 4,
    };
    let mut data = vec![0; within(width, height, channels, options)?];
    if reader.output_buffer_size() != Some(data.len()) {
        return Err(Error::format("its PNG header is inconsistent"));
    }
    reader.next_frame(&mut data).map_err(broken)?;
    reader.finish().map_err(broken)?;
    Ok(Image { height, width, channels, data })
}

fn jpeg(raw: &[u8], options: &Options) -> Result<Image> {
    let broken = |e: zune_jpeg::errors::DecodeErrors| Error::format(format!("its JPEG data is damaged ({e})"));
    let side = options.max_pixels.min(u16::MAX as usize);
    let settings = DecoderOptions::default().set_strict_mode(true).set_max_width(side).set_max_height(side);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(raw), settings);
    decoder.decode_headers().map_err(broken)?;
    let (width, height) = decoder.dimensions().ok_or_else(|| Error::format("its JPEG header is incomplete"))?;
    let grey = decoder.input_colorspace() == Some(ColorSpace::Luma);
    let channels = if grey { 1 } else { 3 };
    let size = within(width, height, channels, options)?;
    // Entropy coding spends a bit or two on each block of 64 pixels: a short file can't hold a large picture.
    if width * height / 1024 > raw.len() {
        return Err(Error::format("it is too short for its pixels").received(format!("{width} × {height}")));
    }
    decoder.set_options(settings.jpeg_set_out_colorspace(if grey { ColorSpace::Luma } else { ColorSpace::RGB }));
    let data = decoder.decode().map_err(broken)?;
    if data.len() != size {
        return Err(Error::format("its JPEG data has another size than its header says"));
    }
    Ok(Image { height, width, channels, data })
}

/// PGM (P5) and PPM (P6) with up to 255 steps: <https://netpbm.sourceforge.net/doc/pgm.html>.
fn netpbm(raw: &[u8], options: &Options) -> Result<Image> {
    let wrong = || Error::format("its header is no PGM or PPM header").expected("width, height and at most 255 steps");
    let channels = if raw[1] == b'5' { 1 } else { 3 };
    let mut at = 2;
    let mut numbers = [0usize; 3];
    for number in &mut numbers {
        loop {
            match raw.get(at).ok_or_else(wrong)? {
                b'#' => at += raw[at..].iter().position(|&b| b == b'\n').ok_or_else(wrong)?,
                b if b.is_ascii_whitespace() => at += 1,
                _ => break,
            }
        }
        let digits = raw[at..].iter().take_while(|b| b.is_ascii_digit()).count();
        let text = std::str::from_utf8(&raw[at..at + digits]).map_err(|_| wrong())?;
        *number = text.parse().map_err(|_| wrong())?;
        at += digits;
    }
    let [width, height, steps] = numbers;
    if !(1..=255).contains(&steps) || !raw.get(at).is_some_and(u8::is_ascii_whitespace) {
        return Err(wrong());
    }
    let size = within(width, height, channels, options)?;
    let data = &raw[at + 1..];
    if data.len() < size {
        return Err(Error::format("it ends inside its pixels")
            .expected(format!("{size} bytes"))
            .received(format!("{} bytes", data.len())));
    }
    let scaled = |v: u8| ((usize::from(v).min(steps) * 255 + steps / 2) / steps) as u8;
    Ok(Image { height, width, channels, data: data[..size].iter().map(|&v| scaled(v)).collect() })
}

/// ITU-R BT.601 luma in 16-bit fixed point.
fn luma(r: u8, g: u8, b: u8) -> u8 {
    ((u32::from(r) * 19595 + u32::from(g) * 38470 + u32::from(b) * 7471 + (1 << 15)) >> 16) as u8
}

impl Image {
    /// Grey or RGB; transparency is dropped.
    fn with_channels(self, channels: usize) -> Image {
        let data = match (self.channels, channels) {
            (from, to) if from == to => return self,
            (1, _) => self.data.iter().flat_map(|&v| [v; 3]).collect(),
            (2, 1) => self.data.as_chunks::<2>().0.iter().map(|&[v, _]| v).collect(),
            (2, _) => self.data.as_chunks::<2>().0.iter().flat_map(|&[v, _]| [v; 3]).collect(),
            (3, _) => self.data.as_chunks::<3>().0.iter().map(|&[r, g, b]| luma(r, g, b)).collect(),
            (_, 1) => self.data.as_chunks::<4>().0.iter().map(|&[r, g, b, _]| luma(r, g, b)).collect(),
            (_, _) => self.data.as_chunks::<4>().0.iter().flat_map(|&[r, g, b, _]| [r, g, b]).collect(),
        };
        Image { channels, data, ..self }
    }

    fn resized(self, (height, width): (usize, usize)) -> Result<Image> {
        let failed = |e: &dyn std::fmt::Display| Error::format(format!("it can't be resized: {e}"));
        let kind = if self.channels == 1 { PixelType::U8 } else { PixelType::U8x3 };
        let from = ImageRef::new(self.width as u32, self.height as u32, &self.data, kind).map_err(|e| failed(&e))?;
        let mut to = Canvas::new(width as u32, height as u32, kind);
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).use_alpha(false);
        Resizer::new().resize(&from, &mut to, &options).map_err(|e| failed(&e))?;
        Ok(Image { height, width, channels: self.channels, data: to.into_vec() })
    }

    /// (v / 255 - mean) / std, channel by channel: [C, H, W].
    pub fn planes(&self, mean: &[f32], std: &[f32], out: &mut [f32]) {
        let pixels = self.height * self.width;
        for c in 0..self.channels {
            // A table of all 256 values is the division done once for each.
            let table: [f32; 256] = std::array::from_fn(|v| (v as f32 / 255.0 - mean[c]) / std[c]);
            for (to, from) in
                out[c * pixels..(c + 1) * pixels].iter_mut().zip(self.data[c..].iter().step_by(self.channels))
            {
                *to = table[*from as usize];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREY: Options = Options { channels: 1, size: None, max_pixels: 1 << 20 };
    const RGB: Options = Options { channels: 3, size: None, max_pixels: 1 << 20 };

    fn encoded(width: u32, height: u32, kind: png::ColorType, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, width, height);
        encoder.set_color(kind);
        encoder.write_header().unwrap().write_image_data(data).unwrap();
        out
    }

    #[test]
    fn png_of_every_kind_becomes_grey_or_rgb() {
        let grey = encoded(2, 1, png::ColorType::Grayscale, &[10, 200]);
        assert_eq!(decode(&grey, &GREY).unwrap().data, [10, 200]);
        assert_eq!(decode(&grey, &RGB).unwrap().data, [10, 10, 10, 200, 200, 200]);
        let alpha = encoded(1, 1, png::ColorType::Rgba, &[255, 0, 0, 7]);
        assert_eq!(decode(&alpha, &RGB).unwrap().data, [255, 0, 0]);
        assert_eq!(decode(&alpha, &GREY).unwrap().data, [76]);
        let both = encoded(1, 1, png::ColorType::GrayscaleAlpha, &[9, 7]);
        assert_eq!(decode(&both, &GREY).unwrap().data, [9]);
    }

    #[test]
    fn cut_and_damaged_pictures_are_refused() {
        let data: Vec<u8> = (0..=255).cycle().take(64 * 64).collect();
        let good = encoded(64, 64, png::ColorType::Grayscale, &data);
        assert_eq!(decode(&good, &GREY).unwrap().data, data);
        for cut in 0..good.len() - 12 {
            assert!(decode(&good[..cut], &GREY).is_err(), "cut at {cut}");
        }
        let mut bad = good.clone();
        bad[60] ^= 0x40;
        assert!(decode(&bad, &GREY).is_err());
        for raw in [&b""[..], b"GIF89a", b"\xff\xd8\xff", b"P5 2 2 255 abc", b"P5 2 2 65535 abcdefgh", b"P5 0 2 255 "] {
            assert!(decode(raw, &GREY).is_err(), "{raw:?}");
        }
    }

    #[test]
    fn pictures_past_the_limit_are_refused_before_they_are_decoded() {
        let good = encoded(64, 64, png::ColorType::Grayscale, &[0; 64 * 64]);
        let error = decode(&good, &Options { max_pixels: 4095, ..GREY }).unwrap_err();
        assert!(error.to_string().contains("64 × 64"), "{error}");
        assert!(decode(b"P5 4294967295 4294967295 255 ", &GREY).is_err());
    }

    #[test]
    fn pgm_and_ppm_are_read() {
        assert_eq!(decode(b"P5\n# by hand\n2 1\n255\nab", &GREY).unwrap().data, b"ab");
        assert_eq!(decode(b"P6 1 1 1 \x01\x00\x01", &RGB).unwrap().data, [255, 0, 255]);
    }

    #[test]
    fn resizing_averages_and_planes_are_normalised() {
        let image = decode(b"P5 2 2 255 \x00\xff\xff\x00", &Options { size: Some((1, 1)), ..GREY }).unwrap();
        assert_eq!((image.height, image.width), (1, 1));
        assert!((126..=129).contains(&image.data[0]), "{}", image.data[0]);
        let image = decode(b"P6 2 1 255 \x00\x33\xff\xff\x33\x00", &RGB).unwrap();
        let mut out = [0.0; 6];
        image.planes(&[0.0, 0.0, 0.5], &[1.0, 0.1, 0.5], &mut out);
        assert_eq!(out, [0.0, 1.0, 2.0, 2.0, 1.0, -1.0]);
    }
}
