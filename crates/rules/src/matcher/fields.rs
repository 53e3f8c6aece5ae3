//! The fields that a group of rules asks for: for the reader as paths, for the builder as names. It must stay true that a
//! number means the same field in both.

use std::sync::Arc;

use crate::{
    conditions::Compiled,
    filter::Path,
    reader::{FieldId, Paths},
};

/// Grows only, so that what was built with fewer fields stays right.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields {
    pub(crate) paths: Paths,
    /// By the number of the field.
    names: Vec<Path>,
}

impl Fields {
    /// The number of a field of a pattern. Copies the fields only if it is new.
    pub(crate) fn of_pattern(fields: &mut Arc<Self>, path: &Path) -> FieldId {
        Self::number(fields, path, false)
    }

    /// The number of the field of a condition, if an index can ask it.
    pub(crate) fn of_condition(fields: &mut Arc<Self>, condition: &Compiled) -> Option<FieldId> {
        let path: Path = condition.names()?.map(Box::from).collect();
        Some(Self::number(fields, &path, condition.question.concerns_containers()))
    }

    /// The names that lead to a field.
    pub(crate) fn path(&self, field: FieldId) -> &Path {
        &self.names[field as usize]
    }

    fn number(fields: &mut Arc<Self>, path: &Path, with_containers: bool) -> FieldId {
        if let Some(field) = fields.paths.get(path, with_containers) {
            return field;
        }
        let fields = Arc::make_mut(fields);
        let field = fields.paths.add(path, with_containers);
        if field as usize == fields.names.len() {
            fields.names.push(path.clone());
        }
        field
    }
}
