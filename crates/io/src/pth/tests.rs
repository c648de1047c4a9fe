use super::*;
use crate::array::Element;
use crate::file::tests::Folder;
use fovea_core::{DType, ErrorKind};
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;

/// An archive as `torch.save` writes it, around this pickle.
fn archive(pickle: &[u8], storages: &[&[u8]]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let mut add = |name: &str, data: &[u8]| {
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        zip.start_file(name, options).unwrap();
        zip.write_all(data).unwrap();
    };
    add("a/data.pkl", pickle);
    for (i, data) in storages.iter().enumerate() {
        add(&format!("a/data/{i}"), data);
    }
    zip.finish().unwrap().into_inner()
}

fn all(raw: &[u8]) -> Result<Vec<Array>> {
    let mut out = Vec::new();
    decode(raw, &mut |array| {
        out.push(array);
        Ok(())
    })?;
    Ok(out)
}

/// The message of the FormatError that this pickle gives.
fn refusal(pickle: &[u8], storages: &[&[u8]]) -> String {
    let error = all(&archive(pickle, storages)).expect_err("it was read");
    assert_eq!(error.kind(), ErrorKind::Format, "{error}");
    error.to_string()
}

/// A pickled dictionary {'w': a float tensor} with storage 0 of `size` elements and this offset, shape and strides.
fn tensor(size: u8, offset: u8, shape: &[u8], strides: &[u8]) -> Vec<u8> {
    let mut out =
        b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n".to_vec();
    out.extend_from_slice(b"X\x01\0\0\x000X\x03\0\0\0cpuK");
    out.extend_from_slice(&[size, b't', b'Q', b'K', offset]);
    for list in [shape, strides] {
        out.push(b'(');
        for &v in list {
            out.extend_from_slice(&[b'K', v]);
        }
        out.push(b't');
    }
    out.extend_from_slice(b"\x89ccollections\nOrderedDict\n)RtRs.");
    out
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

#[test]
fn views_with_offsets_and_strides_are_gathered() {
    let storage = floats(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let read = all(&archive(&tensor(7, 1, &[2, 3], &[1, 2]), &[&storage])).unwrap();
    assert_eq!((read[0].name.as_str(), &read[0].shape), ("w", &vec![2, 3]));
    assert_eq!(read[0].bytes, floats(&[1.0, 3.0, 5.0, 2.0, 4.0, 6.0]));
    let repeated = all(&archive(&tensor(7, 6, &[3], &[0]), &[&storage])).unwrap();
    assert_eq!(repeated[0].bytes, floats(&[6.0; 3]));
    assert!(all(&archive(&tensor(7, 0, &[0, 3], &[9, 9]), &[&storage])).unwrap()[0].bytes.is_empty());
}

#[test]
fn what_is_written_is_read_again_and_no_cut_of_it_is() {
    let folder = Folder::new("pth");
    let path = folder.0.join("a.pth");
    let tensors = vec![
        Array {
            name: "layer.weight".into(),
            dtype: DType::F32,
            stored: Element::F32,
            shape: vec![2, 1],
            bytes: floats(&[1.0, -2.0]),
        },
        Array {
            name: "steps".into(),
            dtype: DType::I64,
            stored: Element::I64,
            shape: vec![],
            bytes: 300i64.to_le_bytes().to_vec(),
        },
        Array { name: "none".into(), dtype: DType::Bool, stored: Element::Bool, shape: vec![3, 0, 2], bytes: vec![] },
    ];
    save(&path, &tensors).unwrap();
    let raw = std::fs::read(&path).unwrap();
    assert_eq!(all(&raw).unwrap(), tensors);
    for cut in 0..raw.len() {
        assert!(all(&raw[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn every_other_global_is_refused_by_name() {
    assert!(refusal(b"\x80\x02cos\nsystem\n(X\x02\0\0\0lstR.", &[]).contains("os.system"));
    assert!(refusal(b"\x80\x02c__builtin__\neval\n.", &[]).contains("__builtin__.eval"));
    assert!(refusal(b"\x80\x04\x8c\x05posix\x8c\x06system\x93.", &[]).contains("posix.system"));
    assert!(refusal(b"\x80\x02ctorch\nComplexFloatStorage\n.", &[]).contains("ComplexFloatStorage"));
    assert!(refusal(b"\x80\x02(i__main__\nA\n.", &[]).contains("opcode 0x69"));
}

#[test]
fn views_past_their_storage_and_storages_of_another_size_are_refused() {
    let four = floats(&[0.0; 4]);
    assert!(refusal(&tensor(4, 1, &[4], &[1]), &[&four]).contains("past its storage"));
    assert!(refusal(&tensor(4, 0, &[2, 2], &[2]), &[&four]).contains("number of sizes"));
    assert!(refusal(&tensor(4, 0, &[255, 255, 255, 255], &[255; 4]), &[&four]).contains("past its storage"));
    assert!(refusal(&tensor(200, 0, &[4], &[1]), &[&four]).contains("another length"));
    assert!(refusal(&tensor(4, 0, &[4], &[1]), &[]).contains("lacks the entry a/data/0"));
    assert!(refusal(&tensor(4, 0, &[1; 9], &[1; 9]), &[&four]).contains("rank 9"));
}

#[test]
fn a_tensor_that_repeats_one_element_without_end_is_refused() {
    let message = refusal(&tensor(1, 0, &[255; 5], &[0; 5]), &[&floats(&[1.0])]);
    assert!(message.contains("larger than a file of this size"), "{message}");
}

#[test]
fn cycles_and_containers_that_multiply_are_refused() {
    // A list that holds itself.
    assert!(refusal(b"\x80\x02]q\0h\0a.", &[]).contains("too deep"));
    // Thirty lists, each holding the one before it ten times.
    let mut laughs = b"\x80\x02)q\0".to_vec();
    for i in 0..30u8 {
        laughs.push(b'(');
        for _ in 0..10 {
            laughs.extend_from_slice(&[b'h', i]);
        }
        laughs.extend_from_slice(&[b't', b'q', i + 1]);
    }
    laughs.push(b'.');
    assert!(refusal(&laughs, &[]).contains("too deep"));
}

#[test]
fn counts_past_the_end_and_values_without_number_are_refused() {
    assert!(refusal(b"\x80\x02X\xff\xff\xff\xffa.", &[]).contains("it ends"));
    assert!(refusal(b"\x80\x02\x8a\xff", &[]).contains("it ends"));
    assert!(refusal(b"\x80\x02j\xff\xff\xff\xff.", &[]).contains("which is empty"));
    assert!(refusal(&[b"\x80\x02".as_slice(), &vec![b']'; 3 << 20], b"."].concat(), &[]).contains("too many values"));
    assert!(refusal(&[b"\x80\x02".as_slice(), &vec![b'('; 3 << 20], b"."].concat(), &[]).contains("too many values"));
    for empty in
        [&b"."[..], b"\x80\x02t.", b"\x80\x02a.", b"\x80\x02\x85.", b"\x80\x02q\0.", b"\x80\x02R.", b"\x80\x02(\x85."]
    {
        refusal(empty, &[]);
    }
}

#[test]
fn older_formats_and_programs_are_refused_with_a_cure() {
    let legacy = [LEGACY, &[0; 40]].concat();
    assert!(all(&legacy).unwrap_err().to_string().contains("before version 1.6"));
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    assert!(all(&tar).unwrap_err().to_string().contains("before version 1.6"));
    assert_eq!(all(b"not a zip").unwrap_err().kind(), ErrorKind::Format);
}
