//! Array consistency: one value for each field, such that those within one array of the event lie in one element.

use serde_json::Value;

use super::{
    ask,
    place::{self, Step, dotted},
};
use crate::{
    filter::Leaf,
    fuel::{Exhausted, Fuel},
};

/// So many fields are named that do not hold together.
const NAMED_MAX: usize = 4;

/// The places of values that satisfy the leaves together, by the pointers of the leaves; or why there are none.
pub(super) fn choose<'a>(
    leaves: &[&'a Leaf],
    event: &'a Value,
    fuel: &mut Fuel,
) -> Result<Vec<(&'a str, String)>, String> {
    // One by itself has its value already, and the first that was found.
    if leaves.len() < 2 {
        return Ok(Vec::new());
    }
    let mut search = Search { leaves, fuel, place: Vec::new(), chosen: Vec::new(), split: None };
    let wanted: Vec<usize> = (0..leaves.len()).collect();
    match search.visit(event, 0, &wanted) {
        Ok(true) => {
            let chosen = search.chosen.into_iter();
            Ok(chosen.map(|(leaf, place)| (leaves[leaf].pointer.as_str(), place)).collect())
        }
        Ok(false) => Err(reason(leaves, search.split)),
        Err(exhausted) => Err(exhausted.to_string()),
    }
}

struct Search<'a, 's> {
    leaves: &'s [&'a Leaf],
    fuel: &'s mut Fuel,
    place: Vec<Step<'a>>,
    chosen: Vec<(usize, String)>,
    /// The last array of which no element satisfied several fields, and which fields: the outermost, in the end.
    split: Option<(String, Vec<usize>)>,
}

impl<'a> Search<'a, '_> {
    /// Whether values below this one satisfy the wanted leaves, of which `depth` names lead here.
    fn visit(
        &mut self,
        value: &'a Value,
        depth: usize,
        wanted: &[usize],
    ) -> Result<bool, Exhausted> {
        self.fuel.spend(wanted.len())?;
        let before = self.chosen.len();
        let held = match value {
            Value::Array(items) => self.items(items, depth, wanted)?,
            Value::Object(fields) => self.fields(fields, depth, wanted)?,
            scalar => self.scalar(scalar, depth, wanted)?,
        };
        if !held {
            self.chosen.truncate(before);
        }
        Ok(held)
    }

    fn items(
        &mut self,
        items: &'a [Value],
        depth: usize,
        wanted: &[usize],
    ) -> Result<bool, Exhausted> {
        for (index, item) in items.iter().enumerate() {
            self.place.push(Step::Item(index));
            let held = self.visit(item, depth, wanted)?;
            self.place.pop();
            if held {
                return Ok(true);
            }
        }
        if wanted.len() > 1 {
            self.split = Some((place::written(&self.place), wanted.to_vec()));
        }
        Ok(false)
    }

    fn fields(
        &mut self,
        fields: &'a serde_json::Map<String, Value>,
        depth: usize,
        wanted: &[usize],
    ) -> Result<bool, Exhausted> {
        let name = |leaf: usize| self.leaves[leaf].path.get(depth);
        let mut by_name: Vec<(&str, Vec<usize>)> = Vec::new();
        for &leaf in wanted {
            // A field that ends here would need a value, and finds an object.
            let Some(name) = name(leaf) else { return Ok(false) };
            match by_name.iter_mut().find(|(known, _)| *known == name.as_ref()) {
                Some((_, leaves)) => leaves.push(leaf),
                None => by_name.push((name, vec![leaf])),
            }
        }
        for (name, leaves) in by_name {
            let Some((name, field)) = fields.get_key_value(name) else { return Ok(false) };
            self.place.push(Step::Name(name));
            let held = self.visit(field, depth + 1, &leaves)?;
            self.place.pop();
            if !held {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn scalar(&mut self, value: &Value, depth: usize, wanted: &[usize]) -> Result<bool, Exhausted> {
        let &[one] = wanted else { return Ok(false) };
        let leaf = self.leaves[one];
        if leaf.path.len() != depth || !ask::satisfies(&leaf.any, value, self.fuel)? {
            return Ok(false);
        }
        self.chosen.push((one, place::written(&self.place)));
        Ok(true)
    }
}

fn reason(leaves: &[&Leaf], split: Option<(String, Vec<usize>)>) -> String {
    let Some((array, wanted)) = split else {
        return "no one element of an array satisfies its fields together".to_owned();
    };
    let names = wanted.iter().take(NAMED_MAX);
    let names: Vec<String> =
        names.map(|&leaf| dotted(leaves[leaf].path.iter().map(AsRef::as_ref))).collect();
    let more = match wanted.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let array = if array.is_empty() { "the event".to_owned() } else { array };
    format!("no one element of {array} satisfies {}{more} together", names.join(", "))
}
