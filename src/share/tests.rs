//! Tests of divided computations, with parts in memory.

use std::collections::BTreeMap;

use super::*;

/// Keeps parts in memory, and notes.
#[derive(Debug)]
struct Memory {
    duty: Duty,
    /// The duty in the division `sum`, if it is another one.
    of_sum: Option<Duty>,
    kept: BTreeMap<(String, usize), String>,
    notes: Vec<String>,
}

impl Memory {
    fn new(duty: Duty) -> Self {
        Self { duty, of_sum: None, kept: BTreeMap::new(), notes: Vec::new() }
    }
}

impl Sharing for Memory {
    fn duty(&mut self, division: &Division) -> Result<Duty> {
        let of_sum = self.of_sum.clone().filter(|_| division.what == "sum");
        Ok(of_sum.unwrap_or_else(|| self.duty.clone()))
    }
    fn keep(&mut self, what: &str, part: usize, text: String) -> Result<()> {
        self.kept.insert((what.to_string(), part), text);
        Ok(())
    }
    fn kept(&mut self, what: &str, part: usize) -> Result<String> {
        Ok(self.kept[&(what.to_string(), part)].clone())
    }
}

impl Progress for Memory {
    fn report(&mut self, event: &Event) -> ControlFlow<()> {
        if let Event::Note { text } | Event::Detail { text } = event {
            self.notes.push(text.clone());
        }
        ControlFlow::Continue(())
    }
    fn sharing(&mut self) -> Option<&mut dyn Sharing> {
        Some(self)
    }
}

fn thirds(progress: &mut dyn Progress) -> Result<Vec<f64>> {
    let parts = (0..4).map(|k| k.to_string()).collect();
    divided(&Division::even("thirds", parts), progress, &mut |range, progress| {
        range
            .map(|k| {
                progress::note(progress, format!("part {k}"))?;
                // Inside of a part, nothing is divided.
                assert!(progress.sharing().is_none());
                Ok(k as f64 / 3.0)
            })
            .collect()
    })
}

#[test]
fn parts_of_several_processes_are_those_of_one() {
    let mut whole = Memory::new(Duty::All);
    let expected = thirds(&mut whole).unwrap();
    assert_eq!(expected.len(), 4);
    let mut collecting = Memory::new(Duty::Collect);
    for part in [3, 0, 2, 1] {
        let mut one = Memory::new(Duty::One(part));
        assert!(matches!(thirds(&mut one), Err(Error::Cancelled)));
        assert_eq!(one.notes, [format!("part {part}")]);
        collecting.kept.append(&mut one.kept);
    }
    let bits = |of: &[f64]| of.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&thirds(&mut collecting).unwrap()), bits(&expected));
    assert_eq!(collecting.notes, whole.notes);
}

/// The sum of thirds.
#[derive(Default)]
struct Thirds(Vec<f64>);

impl Summed for Thirds {
    type Part = Packed<f64>;
    type Whole = f64;

    fn part(&mut self, part: usize, progress: &mut dyn Progress) -> Result<Packed<f64>> {
        progress::note(progress, format!("part {part}"))?;
        Ok(Packed(vec![part as f64 / 3.0]))
    }
    fn add(&mut self, part: usize, result: Packed<f64>) -> Result<()> {
        assert_eq!(part, self.0.len());
        self.0.extend(result.0);
        Ok(())
    }
    fn whole(&mut self, progress: &mut dyn Progress) -> Result<f64> {
        progress::note(progress, "the sum")?;
        Ok(self.0.iter().sum())
    }
}

fn sum_of_thirds(progress: &mut dyn Progress) -> Result<f64> {
    let parts = Division::even("thirds", (0..4).map(|k| k.to_string()).collect());
    summed(&mut Thirds::default(), [&parts, &Division::single("sum")], progress)
}

#[test]
fn a_sum_of_several_processes_is_that_of_one_and_its_parts_are_read_once() {
    let mut whole = Memory::new(Duty::All);
    let expected = sum_of_thirds(&mut whole).unwrap();
    assert!((expected - 2.0).abs() < 1e-15);
    let mut kept = BTreeMap::new();
    for part in [2, 0, 3, 1] {
        let mut one = Memory { of_sum: Some(Duty::Later), ..Memory::new(Duty::One(part)) };
        assert!(matches!(sum_of_thirds(&mut one), Err(Error::Cancelled)));
        kept.append(&mut one.kept);
    }
    let mut adding = Memory { of_sum: Some(Duty::One(0)), ..Memory::new(Duty::Collect) };
    adding.kept = kept;
    assert!(matches!(sum_of_thirds(&mut adding), Err(Error::Cancelled)));
    // The parts are gone: only the sum is taken over, with what it told.
    let mut last = Memory::new(Duty::Collect);
    last.kept = adding.kept.split_off(&("sum".into(), 0)).into_iter().take(1).collect();
    assert_eq!(sum_of_thirds(&mut last).unwrap().to_bits(), expected.to_bits());
    assert_eq!(last.notes, ["the sum"]);
}

#[test]
fn a_trial_goes_on_with_the_parts_that_were_tried() {
    let tried = |goes_on| Duty::Try { parts: vec![0, 2], goes_on };
    let mut on = Memory::new(tried(true));
    assert_eq!(thirds(&mut on).unwrap(), [0.0, 2.0 / 3.0]);
    assert_eq!(on.kept.len(), 2);
    let mut stops = Memory::new(tried(false));
    assert!(matches!(thirds(&mut stops), Err(Error::Cancelled)) && stops.kept.len() == 2);
}

#[test]
fn a_list_computes_nothing_and_an_infinite_result_is_refused_where_it_is_made() {
    let mut list = Memory::new(Duty::List);
    assert!(matches!(thirds(&mut list), Err(Error::Cancelled)));
    assert!(list.notes.is_empty());
    let mut one = Memory::new(Duty::One(0));
    let division = Division::even("numbers", vec!["0".into()]);
    let found = divided(&division, &mut one, &mut |_, _| Ok(vec![f64::INFINITY]));
    assert!(matches!(found, Err(Error::Numerical { .. })));
    assert!(one.kept.is_empty());
}
