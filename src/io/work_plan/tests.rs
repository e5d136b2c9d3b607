//! Tests of plans and of the files of their parts.

use super::*;
use crate::progress::Silent;
use crate::share::{Duty, Sharing};

/// Two times with this work.
fn times(work: [f64; 2]) -> Division {
    Division { work: work.into(), ..Division::even("times", vec!["1".into(), "2".into()]) }
}

fn planned(folder: &Path) -> (WorkPlan, PathBuf) {
    let data = folder.join("cells.h5ad");
    std::fs::write(&data, "cells").unwrap();
    let inputs = vec![PlannedInput::of(&data, &mut Silent).unwrap()];
    let plan = WorkPlan::new(vec!["evaluate".into()], inputs);
    let path = folder.join("plan.json");
    let plan = plan.with_units(&[times([1.0; 2])], Path::new("plan.parts"));
    plan.write(&path).unwrap();
    (plan, path)
}

#[test]
fn a_part_is_read_back_only_if_it_is_whole_and_of_this_plan() {
    let folder = tempfile::tempdir().unwrap();
    let (plan, path) = planned(folder.path());
    assert_eq!(WorkPlan::read(&path).unwrap(), plan);
    let mut parts = Parts::of_unit(plan.clone(), &path, 1);
    parts.keep("times", 1, "[0.5]".into()).unwrap();
    assert_eq!(parts.result(1).unwrap(), "[0.5]");
    assert_eq!(parts.open().iter().map(|open| open.0).collect::<Vec<_>>(), [0]);
    assert!(matches!(parts.result(0), Err(Error::NoFile { .. })));
    assert!(matches!(parts.result(2), Err(Error::Parameter { .. })));

    let file = folder.path().join("plan.parts/1.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("[0.5]", "[0.6]")).unwrap();
    assert!(parts.result(1).unwrap_err().to_string().contains("damaged"));
    // The part of unit 1 under the name of unit 0, and under another plan.
    std::fs::write(folder.path().join("plan.parts/0.json"), &text).unwrap();
    assert!(parts.result(0).unwrap_err().to_string().contains("another plan or unit"));
    std::fs::write(&file, &text).unwrap();
    let other = WorkPlan::new(vec!["grn".into()], Vec::new());
    let other = other.with_units(&[times([1.0; 2])], Path::new("plan.parts"));
    let parts = Parts::merging(other, &path);
    assert!(parts.result(1).unwrap_err().to_string().contains("another plan"));
}

#[test]
fn estimates_can_be_edited_and_the_rest_cannot() {
    let folder = tempfile::tempdir().unwrap();
    let (plan, _) = planned(folder.path());
    let trial = Trial { stage: 0, part: 0, before: 1.0, own: 2.0, peaks: None };
    let estimated = plan.clone().with_estimates(&[trial], &[times([1.0, 0.5])], 2);
    assert_eq!(estimated.units[1].seconds, Some(2.0));
    assert_eq!(estimated.units[1].memory_bytes, None);
    assert!(estimated.is_whole().unwrap() && estimated.sha256 == plan.sha256);
    let mut other = estimated;
    other.units[1].part = "3".into();
    assert!(!other.is_whole().unwrap());
}

#[test]
fn the_unit_that_is_tried_is_kept_for_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    let plan = WorkPlan::new(vec!["evaluate".into()], Vec::new());
    let (mut parts, announced) = Parts::planning(plan.clone(), &path, "parts".as_ref(), true);
    let division = times([1.0, 2.0]);
    assert_eq!(parts.duty(&division).unwrap(), Duty::Try { parts: vec![1], goes_on: false });
    parts.begin("times", 1);
    parts.keep("times", 1, "[0.5]".into()).unwrap();
    let (found, trials) = announced.take();
    assert!(found == [division.clone()] && trials.len() == 1 && trials[0].part == 1);
    assert!(trials[0].own >= 0.0 && trials[0].before >= 0.0);
    let plan = plan.with_units(std::slice::from_ref(&division), "parts".as_ref());
    let mut parts = Parts::merging(plan, &path);
    assert_eq!(parts.result(1).unwrap(), "[0.5]");
    // Parts of a second division would be taken for those of the first.
    assert_eq!(parts.duty(&division).unwrap(), Duty::Collect);
    assert!(matches!(parts.duty(&division), Err(Error::Parameter { .. })));
}

#[test]
fn each_kind_is_foretold_from_its_own_trial() {
    let names = ["a", "b", "c", "d"].map(String::from).to_vec();
    let work = vec![1.0, 2.0, 3.0, 3.0];
    let division = Division { work, kinds: vec![0, 1, 1, 0], ..Division::even("methods", names) };
    let plan = WorkPlan::new(vec!["evaluate".into()], Vec::new());
    let plan = plan.with_units(&[times([1.0; 2]), division.clone()], "parts".as_ref());
    let trial = |part, own| Trial { stage: 1, part, before: 1.0, own, peaks: Some([10, 40]) };
    let plan =
        plan.with_estimates(&[trial(3, 6.0), trial(2, 30.0)], &[times([1.0; 2]), division], 2);
    let seconds: Vec<Option<f64>> = plan.units.iter().map(|unit| unit.seconds).collect();
    assert_eq!(seconds, [None, None, Some(3.0), Some(21.0), Some(31.0), Some(7.0)]);
    assert_eq!(plan.units[3].memory_bytes, Some(30));
}

#[test]
fn a_unit_takes_earlier_stages_does_its_part_and_leaves_later_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    let second = || Division::even("intervals", vec!["1 → 2".into()]);
    let third = || Division::single("end");
    let plan = WorkPlan::new(vec!["fit".into()], Vec::new());
    let plan = plan.with_units(&[times([1.0; 2]), second(), third()], "parts".as_ref());
    assert_eq!(plan.units.iter().map(|unit| unit.stage).collect::<Vec<_>>(), [0, 0, 1, 2]);
    let mut first = Parts::of_unit(plan.clone(), &path, 1);
    assert_eq!(first.duty(&times([1.0; 2])).unwrap(), Duty::One(1));
    assert_eq!(first.duty(&third()).unwrap(), Duty::Later);
    first.keep("times", 1, "[1]".into()).unwrap();
    let mut parts = Parts::of_unit(plan.clone(), &path, 2);
    let open: Vec<usize> = parts.missing_before(1).into_iter().map(|open| open.0).collect();
    assert_eq!(open, [0]);
    assert_eq!(parts.duty(&times([1.0; 2])).unwrap(), Duty::Collect);
    assert_eq!(parts.kept("times", 1).unwrap(), "[1]");
    assert_eq!(parts.duty(&second()).unwrap(), Duty::One(0));
    parts.keep("intervals", 0, "[2]".into()).unwrap();
    assert!(folder.path().join("parts/2.json").exists());
    assert_eq!(parts.duty(&third()).unwrap(), Duty::Later);
    // Other parts than those of the plan.
    let mut merging = Parts::merging(plan, &path);
    assert!(merging.duty(&Division::even("times", vec!["1".into(), "3".into()])).is_err());
    assert!(merging.duty(&Division::single("other")).is_err());
}

#[test]
fn only_units_of_the_first_stage_are_kept_while_the_plan_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    let plan = WorkPlan::new(vec!["fit".into()], Vec::new());
    let (mut parts, announced) = Parts::planning(plan, &path, "parts".as_ref(), true);
    parts.announced(&[times([1.0; 2]), Division::single("end")]).unwrap();
    assert_eq!(
        parts.duty(&times([1.0, 2.0])).unwrap(),
        Duty::Try { parts: vec![1], goes_on: true }
    );
    parts.begin("times", 1);
    parts.keep("times", 1, "[1]".into()).unwrap();
    let last = parts.duty(&Division::single("end")).unwrap();
    assert_eq!(last, Duty::Try { parts: vec![0], goes_on: false });
    parts.begin("end", 0);
    parts.keep("end", 0, "[2]".into()).unwrap();
    assert!(folder.path().join("parts/1.json").exists());
    assert!(!folder.path().join("parts/2.json").exists());
    let (divisions, trials) = announced.take();
    assert_eq!((divisions[0].work.as_slice(), trials.len()), ([1.0, 2.0].as_slice(), 2));
}

#[test]
fn a_unit_reads_an_input_again_only_if_it_looks_changed() {
    let folder = tempfile::tempdir().unwrap();
    let (plan, _) = planned(folder.path());
    plan.look_at_inputs(&mut Silent).unwrap();
    let path = folder.path().join("cells.h5ad");
    let before = std::fs::metadata(&path).unwrap().modified().unwrap();
    let set = |time| std::fs::File::options().write(true).open(&path).unwrap().set_modified(time);
    // The same content, written later.
    set(before + std::time::Duration::from_secs(5)).unwrap();
    plan.look_at_inputs(&mut Silent).unwrap();
    std::fs::write(&path, "ells.").unwrap();
    assert!(plan.look_at_inputs(&mut Silent).is_err());
    // Content of the same size and time is seen where parts are merged.
    std::fs::write(&path, "sllec").unwrap();
    set(before).unwrap();
    plan.look_at_inputs(&mut Silent).unwrap();
    assert!(plan.check_inputs(&mut Silent).is_err());
}

#[test]
fn changed_plans_and_inputs_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (plan, path) = planned(folder.path());
    plan.check_inputs(&mut Silent).unwrap();
    std::fs::write(folder.path().join("cells.h5ad"), "other cells").unwrap();
    let changed = plan.check_inputs(&mut Silent).unwrap_err().to_string();
    assert!(changed.contains("cells.h5ad") && changed.contains("changed"), "{changed}");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("evaluate", "grn")).unwrap();
    assert!(WorkPlan::read(&path).unwrap_err().to_string().contains("changed after it was made"));
    std::fs::write(&path, text.replace(env!("CARGO_PKG_VERSION"), "9.9.9")).unwrap();
    assert!(WorkPlan::read(&path).unwrap_err().to_string().contains("made by sbcell 9.9.9"));
}
