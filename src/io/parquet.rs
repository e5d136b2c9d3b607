//! Tables in Apache parquet: columns of numbers and strings, written in groups of rows.
//!
//! Format: <https://parquet.apache.org/docs/file-format/>. Written files have zstd compression, plain
//! pages (a dictionary if strings repeat), statistics of each column, and nullable columns, as other
//! writers have them. All encodings of flat columns are read, with zstd, snappy, gzip, LZ4 or no
//! compression.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, Type, TypePtr};

use crate::data::shortest_of_single;
use crate::io::table::Cells;

/// Number of rows in a group. Pages of one column of a group are in memory until they are written.
const GROUP_ROWS: usize = 1 << 18;

/// Number of strings or decoded values that are held at once.
const BATCH_ROWS: usize = 1 << 13;

/// Number of strings from which it is decided whether a column gets a dictionary.
const SAMPLE_ROWS: usize = 1 << 12;

/// Writes `columns` of equal length. Time and bytes O(values), memory for one column of one group of
/// rows. The same columns give the same bytes.
///
/// # Errors
/// The error of `writer`; two columns of the same name.
pub(super) fn write(
    writer: &mut (dyn Write + Send),
    columns: &[(String, Cells)],
) -> std::io::Result<()> {
    write_groups(writer, columns).map_err(|error| match error {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(of_writer) => *of_writer,
            Err(other) => std::io::Error::other(other),
        },
        other => std::io::Error::other(other),
    })
}

/// Reads all columns. A missing number is NaN, or 0 in a column of 64-bit integers; a missing string is
/// empty. Numbers of other types become `f64`; a number in single precision becomes the shortest
/// decimal that rounds to it.
///
/// # Errors
/// The file is not parquet, is damaged, is compressed with brotli or LZO, has columns that are neither
/// numbers nor strings, or has two columns of the same name.
pub(super) fn read(file: File) -> Result<Vec<(String, Cells)>> {
    // The crate panics on some damaged pages. No state survives, because the crate owns the file.
    catch_unwind(AssertUnwindSafe(|| read_groups(file)))
        .unwrap_or_else(|_| Err(problem("a page is damaged".into())))
}

fn read_groups(file: File) -> Result<Vec<(String, Cells)>> {
    let reader = SerializedFileReader::new(file)?;
    let schema = reader.metadata().file_metadata().schema();
    let mut columns = Vec::new();
    for field in schema.get_fields() {
        columns.push((field.name().to_string(), empty(field)?));
    }
    refuse_twins(&columns)?;
    let signed: Vec<bool> = schema.get_fields().iter().map(|field| !is_unsigned(field)).collect();
    let mut n_rows = 0;
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group)?;
        n_rows += usize::try_from(group.metadata().num_rows())?;
        for (at, (name, cells)) in columns.iter_mut().enumerate() {
            check_chunk(group.metadata().column(at))?;
            append(group.get_column_reader(at)?, signed[at], n_rows, cells)?;
            if cells.len() != n_rows {
                let found = cells.len();
                return Err(problem(format!("column `{name}` has {found} of {n_rows} rows")));
            }
        }
    }
    Ok(columns)
}

fn problem(what: String) -> ParquetError {
    ParquetError::General(what)
}

/// Refuses two columns of the same name.
fn refuse_twins(columns: &[(String, Cells)]) -> Result<()> {
    let mut seen = BTreeSet::new();
    match columns.iter().find(|column| !seen.insert(&column.0)) {
        Some((name, _)) => Err(problem(format!("there are two columns `{name}`"))),
        None => Ok(()),
    }
}

fn write_groups(writer: &mut (dyn Write + Send), columns: &[(String, Cells)]) -> Result<()> {
    refuse_twins(columns)?;
    let fields = columns.iter().map(|(name, cells)| field(name, cells)).collect::<Result<_>>()?;
    let schema = Type::group_type_builder("root").with_fields(fields).build()?;
    let mut file = SerializedFileWriter::new(writer, Arc::new(schema), Arc::new(layout(columns)))?;
    let n_rows = columns.first().map_or(0, |column| column.1.len());
    // The definition level 1 marks a value that is present.
    let levels = vec![1; n_rows.min(GROUP_ROWS)];
    for first in (0..n_rows).step_by(GROUP_ROWS) {
        let rows = first..n_rows.min(first + GROUP_ROWS);
        let mut group = file.next_row_group()?;
        for (_, cells) in columns {
            let Some(mut column) = group.next_column()? else { break };
            let levels = &levels[..rows.len()];
            match (column.untyped(), cells) {
                (ColumnWriter::DoubleColumnWriter(to), Cells::Floats(values)) => {
                    let (levels, there) = without_gaps(&values[rows.clone()]);
                    to.write_batch(&there, Some(&levels), None)?;
                }
                (ColumnWriter::Int64ColumnWriter(to), Cells::Integers(values)) => {
                    to.write_batch(&values[rows.clone()], Some(levels), None)?;
                }
                (ColumnWriter::ByteArrayColumnWriter(to), Cells::Texts(values)) => {
                    for texts in values[rows.clone()].chunks(BATCH_ROWS) {
                        let bytes: Vec<_> =
                            texts.iter().map(|text| ByteArray::from(text.as_str())).collect();
                        to.write_batch(&bytes, Some(&levels[..texts.len()]), None)?;
                    }
                }
                _ => return Err(problem("a column is not of the type of its schema".into())),
            }
            column.close()?;
        }
        group.close()?;
    }
    file.close()?;
    Ok(())
}

/// Definition levels (1 if present) of all values, and the present values. NaN is missing.
fn without_gaps(values: &[f64]) -> (Vec<i16>, Vec<f64>) {
    let there = values.iter().copied().filter(|value| !value.is_nan()).collect();
    (values.iter().map(|value| i16::from(!value.is_nan())).collect(), there)
}

/// The type of a column in the schema.
fn field(name: &str, cells: &Cells) -> Result<TypePtr> {
    let (physical, logical) = match cells {
        Cells::Floats(_) => (Physical::DOUBLE, None),
        Cells::Integers(_) => (Physical::INT64, None),
        Cells::Texts(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
    };
    let field = Type::primitive_type_builder(name, physical)
        .with_logical_type(logical)
        .with_repetition(Repetition::OPTIONAL)
        .build()?;
    Ok(Arc::new(field))
}

/// The properties of the writer: compression, statistics, and dictionaries for repeating strings.
fn layout(columns: &[(String, Cells)]) -> WriterProperties {
    let all = WriterProperties::builder()
        .set_compression(Compression::ZSTD(parquet::basic::ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_dictionary_enabled(false);
    let repeated = columns.iter().filter(|column| repeats(&column.1));
    repeated
        .fold(all, |all, (name, _)| {
            all.set_column_dictionary_enabled(ColumnPath::from(name.as_str()), true)
        })
        .build()
}

/// Whether at least half of the first strings are repetitions. A dictionary then saves a fifth to a
/// third of the bytes; for names of cells it would add a twentieth.
fn repeats(cells: &Cells) -> bool {
    let Cells::Texts(texts) = cells else { return false };
    let sample = &texts[..texts.len().min(SAMPLE_ROWS)];
    2 * sample.iter().collect::<BTreeSet<_>>().len() <= sample.len()
}

/// An empty column for the values of `field`.
fn empty(field: &Type) -> Result<Cells> {
    let about = field.get_basic_info();
    let refused = |what: String| {
        problem(format!("column `{}` holds {what}, not numbers or strings", field.name()))
    };
    if !field.is_primitive() || about.repetition() == Repetition::REPEATED {
        return Err(refused("lists or groups".into()));
    }
    let logical = about.logical_type_ref();
    if let Some(other) =
        logical.filter(|l| !matches!(l, LogicalType::String | LogicalType::Integer(_)))
    {
        return Err(refused(format!("{other:?}")));
    }
    // The converted type follows from the logical type; files from before 2018 have only the former.
    let converted = about.converted_type();
    match (field.get_physical_type(), converted) {
        (Physical::INT64, ConvertedType::NONE | ConvertedType::INT_64) => {
            Ok(Cells::Integers(Vec::new()))
        }
        (
            Physical::INT32,
            ConvertedType::NONE
            | ConvertedType::INT_8
            | ConvertedType::INT_16
            | ConvertedType::INT_32
            | ConvertedType::UINT_8
            | ConvertedType::UINT_16
            | ConvertedType::UINT_32,
        )
        | (Physical::DOUBLE | Physical::FLOAT, ConvertedType::NONE)
        | (Physical::INT64, ConvertedType::UINT_64) => Ok(Cells::Floats(Vec::new())),
        (Physical::BYTE_ARRAY, ConvertedType::UTF8) => Ok(Cells::Texts(Vec::new())),
        (physical, ConvertedType::NONE) => Err(refused(physical.to_string())),
        (_, converted) => Err(refused(converted.to_string())),
    }
}

/// Whether a column contains unsigned integers.
fn is_unsigned(field: &Type) -> bool {
    matches!(
        field.get_basic_info().converted_type(),
        ConvertedType::UINT_8
            | ConvertedType::UINT_16
            | ConvertedType::UINT_32
            | ConvertedType::UINT_64
    )
}

/// Checks what the crate asserts instead of returning an error, and the compression.
fn check_chunk(chunk: &ColumnChunkMetaData) -> Result<()> {
    let first = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
    if first < 0 || chunk.compressed_size() < 0 {
        return Err(problem("a column starts or ends before the file".into()));
    }
    let name = match chunk.compression() {
        Compression::BROTLI(_) => "brotli",
        Compression::LZO => "LZO",
        _ => return Ok(()),
    };
    Err(problem(format!("compressed with {name}; write it again with zstd, snappy or gzip")))
}

/// Appends the values of a column chunk until `cells` has `n_rows` rows or the chunk ends.
fn append(reader: ColumnReader, signed: bool, n_rows: usize, cells: &mut Cells) -> Result<()> {
    match (reader, cells) {
        (ColumnReader::DoubleColumnReader(reader), Cells::Floats(all)) => {
            extend(reader, n_rows, all, f64::NAN, |value| Ok(*value))
        }
        (ColumnReader::FloatColumnReader(reader), Cells::Floats(all)) => {
            extend(reader, n_rows, all, f64::NAN, |value| Ok(shortest_of_single(*value)))
        }
        (ColumnReader::Int32ColumnReader(reader), Cells::Floats(all)) if signed => {
            extend(reader, n_rows, all, f64::NAN, |value| Ok(f64::from(*value)))
        }
        (ColumnReader::Int32ColumnReader(reader), Cells::Floats(all)) => {
            extend(reader, n_rows, all, f64::NAN, |value| Ok(f64::from(value.cast_unsigned())))
        }
        (ColumnReader::Int64ColumnReader(reader), Cells::Integers(all)) => {
            extend(reader, n_rows, all, 0, |value| Ok(*value))
        }
        (ColumnReader::Int64ColumnReader(reader), Cells::Floats(all)) => {
            extend(reader, n_rows, all, f64::NAN, |value| Ok(value.cast_unsigned() as f64))
        }
        (ColumnReader::ByteArrayColumnReader(reader), Cells::Texts(all)) => {
            extend(reader, n_rows, all, String::new(), |value| Ok(value.as_utf8()?.to_string()))
        }
        _ => Err(problem("a column is not of the type of its schema".into())),
    }
}

/// Appends values, converted by `of`, until `all` has `n_rows`, with `missing` for absent ones.
fn extend<T: DataType, V: Clone>(
    mut reader: ColumnReaderImpl<T>,
    n_rows: usize,
    all: &mut Vec<V>,
    missing: V,
    of: impl Fn(&T::T) -> Result<V>,
) -> Result<()> {
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    while all.len() < n_rows {
        values.clear();
        levels.clear();
        let most = BATCH_ROWS.min(n_rows - all.len());
        let (read, ..) = reader.read_records(most, Some(&mut levels), None, &mut values)?;
        if read == 0 {
            break;
        }
        let mut there = values.iter();
        // A column that is not nullable has no levels.
        levels.resize(read, 1);
        for level in &levels {
            let next = if *level > 0 { there.next() } else { None };
            all.push(next.map_or_else(|| Ok(missing.clone()), &of)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::error::{Error, Kind};
    use crate::io::table::{Table, TableFormat, read_parquet};

    fn fixture(name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parquet").join(name)
    }

    fn bytes_of(columns: &[(String, Cells)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes, columns).unwrap();
        bytes
    }

    fn read_back(bytes: &[u8]) -> Result<Vec<(String, Cells)>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        read(file)
    }

    /// The same bits, so that NaN is equal to itself.
    fn assert_same(found: &Cells, expected: &Cells, name: &str) {
        match (found, expected) {
            (Cells::Floats(found), Cells::Floats(expected)) => {
                let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(found), bits(expected), "{name}");
            }
            _ => assert_eq!(found, expected, "{name}"),
        }
    }

    fn several(n_rows: usize) -> Vec<(String, Cells)> {
        let rows = 0..n_rows;
        let text = |f: &dyn Fn(usize) -> String| Cells::Texts(rows.clone().map(f).collect());
        vec![
            ("id".into(), text(&|row| format!("cell {row}"))),
            ("group".into(), text(&|row| format!("gruppe ü {}", row % 3))),
            ("n".into(), Cells::Integers(rows.clone().map(|row| row as i64 - 7).collect())),
            (
                "PC.1".into(),
                Cells::Floats(rows.clone().map(|row| 1.0 / row as f64 - 0.1).collect()),
            ),
            ("gaps".into(), Cells::Floats(rows.map(|r| [0.5, f64::NAN, -0.0][r % 3]).collect())),
        ]
    }

    #[test]
    fn any_number_of_rows_reads_back_bit_for_bit() {
        for n_rows in [0, 1, 2, BATCH_ROWS - 1, BATCH_ROWS + 1, GROUP_ROWS, GROUP_ROWS + 1] {
            let columns = several(n_rows);
            let bytes = bytes_of(&columns);
            let back = read_back(&bytes).unwrap();
            assert_eq!(back.len(), columns.len());
            for ((name, found), expected) in back.iter().zip(&columns) {
                assert_eq!(*name, expected.0);
                assert_same(found, &expected.1, &format!("{name} of {n_rows}"));
            }
            assert_eq!(bytes, bytes_of(&columns), "the same bytes each time");
        }
        assert_eq!(read_back(&bytes_of(&[])).unwrap(), []);
    }

    #[test]
    fn strings_that_repeat_have_a_dictionary_and_groups_are_bounded() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes_of(&several(GROUP_ROWS + 5))).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        assert_eq!(reader.metadata().num_row_groups(), 2);
        let group = reader.metadata().row_group(0);
        let dictionaries: Vec<bool> =
            group.columns().iter().map(|c| c.dictionary_page_offset().is_some()).collect();
        assert_eq!(dictionaries, [false, true, false, false, false]);
        for (place, column) in group.columns().iter().enumerate() {
            let statistics = column.statistics().unwrap();
            // NaN is a missing number: every third one of the last column.
            let n_missing = if place == 4 { GROUP_ROWS as u64 / 3 } else { 0 };
            assert_eq!(statistics.null_count_opt(), Some(n_missing));
            assert!(statistics.min_bytes_opt().is_some());
        }
    }

    #[test]
    fn two_columns_of_one_name_are_refused() {
        let twins = vec![("a".to_string(), Cells::Integers(vec![1])); 2];
        let error = write(&mut Vec::new(), &twins).unwrap_err().to_string();
        assert!(error.contains("two columns `a`"), "{error}");
    }

    #[test]
    fn a_full_disk_is_reported_as_the_system_does() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let error = write(&mut Full, &several(10)).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    }

    /// Written by sbcell with polars; the CSV beside it is of the same run.
    #[test]
    fn files_of_the_version_with_polars_read_as_before() {
        let table = read_parquet(&fixture("polars_0.55.parquet")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("edges.csv");
        crate::io::table::write(&path, &table, TableFormat::Csv).unwrap();
        // That version wrote missing numbers as NaN.
        let expected = std::fs::read_to_string(fixture("polars_0.55.csv")).unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), expected.replace("NaN", ""));
    }

    #[test]
    fn other_encodings_compressions_and_number_types_read_the_same() {
        let (nan, infinite) = (f64::NAN, f64::INFINITY);
        let texts = |texts: [&str; 5]| Cells::Texts(texts.map(String::from).to_vec());
        let expected = [
            ("cell", texts(["a", "b", "ü", "", "e"])),
            ("group", texts(["x", "y", "x", "", "x"])),
            ("large", texts(["l", "", "", "m", "n"])),
            ("f64", Cells::Floats(vec![0.1, nan, nan, -1e300, 5.0])),
            ("f32", Cells::Floats(vec![0.5, 1.5, nan, -2.5, infinite])),
            ("i64", Cells::Integers(vec![1, 0, i64::MIN, i64::MAX, 5])),
            ("i32", Cells::Floats(vec![1.0, nan, i32::MIN.into(), i32::MAX.into(), 5.0])),
            ("i16", Cells::Floats(vec![1.0, nan, i16::MIN.into(), i16::MAX.into(), 5.0])),
            ("i8", Cells::Floats(vec![1.0, nan, i8::MIN.into(), i8::MAX.into(), 5.0])),
            ("u64", Cells::Floats(vec![1.0, nan, 0.0, u64::MAX as f64, 5.0])),
            ("u32", Cells::Floats(vec![1.0, nan, 0.0, u32::MAX.into(), 5.0])),
            ("u16", Cells::Floats(vec![1.0, nan, 0.0, u16::MAX.into(), 5.0])),
            ("u8", Cells::Floats(vec![1.0, nan, 0.0, u8::MAX.into(), 5.0])),
            ("required", Cells::Floats(vec![1.0, 2.0, 3.0, 4.0, 5.0])),
        ];
        for kind in ["snappy", "gzip_pages_v2", "zstd_delta", "lz4_groups", "plain", "format_1"] {
            let table: Table = read_parquet(&fixture(&format!("pyarrow_{kind}.parquet"))).unwrap();
            assert_eq!(table.names(), expected.each_ref().map(|column| column.0), "{kind}");
            for (name, cells) in &expected {
                // The first version of the format has no unsigned integers of 32 bits.
                if (kind, *name) != ("format_1", "u32") {
                    assert_same(table.column(name).unwrap(), cells, &format!("{name}, {kind}"));
                }
            }
        }
    }

    #[test]
    fn what_is_neither_numbers_nor_strings_is_named() {
        for (kind, word) in [
            ("boolean", "BOOLEAN"),
            ("time", "Timestamp"),
            ("list", "lists"),
            ("bytes", "BYTE_ARRAY"),
            ("decimal", "Decimal"),
            ("brotli", "brotli; write it again with zstd"),
        ] {
            let error = read_parquet(&fixture(&format!("refused_{kind}.parquet"))).unwrap_err();
            assert_eq!(error.kind(), Kind::Unreadable);
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    /// Each byte or one bit of it turned over, and files cut short: an answer or an error.
    #[test]
    fn damaged_files_are_errors_and_no_panic_gets_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("damaged.parquet");
        let mut errors = 0;
        let mut try_bytes = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let result = read_parquet(&path);
            assert!(result.as_ref().err().is_none_or(|e: &Error| e.kind() == Kind::Unreadable));
            errors += usize::from(result.is_err());
        };
        for name in ["polars_0.55", "pyarrow_zstd_delta"] {
            let whole = std::fs::read(fixture(&format!("{name}.parquet"))).unwrap();
            for at in 0..whole.len() {
                let mut bytes = whole.clone();
                bytes[at] ^= if at % 2 == 0 { 0xff } else { 1 << (at % 7) };
                try_bytes(&bytes);
                if at % 16 == 0 {
                    try_bytes(&whole[..at]);
                }
            }
        }
        assert!(errors > 1000, "{errors}");
    }
}
