//! From Cedar's tree of an expression to the compiled one.

use super::member::Member;
use super::node::{Binary, Constant, NamedEntity, Node, Unary};
use super::pattern::Pattern;
use crate::parts::Part;
use cedar_policy_core::ast::{BinaryOp, Expr, ExprKind, Literal, UnaryOp, Var};

/// Deepest nesting that is compiled, counted as Cedar nests: `a && b && c` is three deep. What is deeper is left to Cedar,
/// which looks at how much stack there is.
pub(super) const MAX_DEPTH: usize = 128;

/// Compiles an expression; `None` when something in it is left to Cedar: extension functions, tags, slots and unknowns,
/// and whatever a later version adds.
pub(super) fn read(expression: &Expr) -> Option<Node> {
    node(expression, MAX_DEPTH)
}

fn node(expression: &Expr, depth: usize) -> Option<Node> {
    let depth = depth.checked_sub(1)?;
    let boxed = |expression: &Expr| node(expression, depth).map(Box::new);
    Some(match expression.expr_kind() {
        ExprKind::Lit(literal) => Node::Constant(constant(literal)),
        ExprKind::Var(Var::Principal) => Node::Principal,
        ExprKind::Var(Var::Action) => Node::Action,
        ExprKind::Var(Var::Resource) => Node::Resource,
        ExprKind::Var(Var::Context) => Node::Context,
        ExprKind::If { test_expr, then_expr, else_expr } => {
            Node::If(Box::new([node(test_expr, depth)?, node(then_expr, depth)?, node(else_expr, depth)?]))
        }
        ExprKind::And { left, right } => Node::All(chain(node(left, depth)?, node(right, depth)?, |node| match node {
            Node::All(nodes) => Ok(nodes),
            other => Err(other),
        })),
        ExprKind::Or { left, right } => Node::Any(chain(node(left, depth)?, node(right, depth)?, |node| match node {
            Node::Any(nodes) => Ok(nodes),
            other => Err(other),
        })),
        ExprKind::UnaryApp { op, arg } => Node::Unary(unary(*op), boxed(arg)?),
        ExprKind::BinaryApp { op, arg1, arg2 } => {
            Node::Binary(binary(*op)?, Box::new([node(arg1, depth)?, node(arg2, depth)?]))
        }
        ExprKind::GetAttr { expr, attr } => match member(expr, attr) {
            Some(member) => Node::Member(member),
            None => Node::Attribute(boxed(expr)?, attr.as_str().into()),
        },
        ExprKind::HasAttr { expr, attr } => match member(expr, attr) {
            Some(member) => Node::HasMember(member),
            None => Node::Has(boxed(expr)?, Box::new([attr.as_str().into()])),
        },
        ExprKind::ExtHasAttr { expr, attrs } => {
            Node::Has(boxed(expr)?, attrs.iter().map(|attr| attr.as_str().into()).collect())
        }
        ExprKind::Like { expr, pattern } => Node::Like(boxed(expr)?, Pattern::of(pattern.get_elems())),
        ExprKind::Is { expr, entity_type } => Node::Is(boxed(expr)?, entity_type.to_string().into()),
        ExprKind::Set(items) => set(items.iter().map(|item| node(item, depth)).collect::<Option<_>>()?),
        ExprKind::Record(fields) => {
            let fields = fields.iter().map(|(name, value)| Some((name.as_str().into(), node(value, depth)?)));
            Node::Record(fields.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

/// `(a && b) && c` and `a && (b && c)` look at the same booleans in the same order, and stop at the same one.
fn chain(left: Node, right: Node, same: impl Fn(Node) -> Result<Box<[Node]>, Node>) -> Box<[Node]> {
    let nodes = [left, right].map(|node| same(node).map_or_else(|node| vec![node], Vec::from));
    nodes.into_iter().flatten().collect()
}

/// `context.part.member`, of which the member is known to exist somewhere. A path to what no action has is walked when it
/// is evaluated, and fails there.
fn member(expression: &Expr, name: &str) -> Option<Member> {
    let ExprKind::GetAttr { expr, attr } = expression.expr_kind() else {
        return None;
    };
    let is_context = matches!(expr.expr_kind(), ExprKind::Var(Var::Context));
    is_context.then(|| Part::named(attr)).flatten().and_then(|part| Member::named(part, name))
}

fn constant(literal: &Literal) -> Constant {
    match literal {
        Literal::Bool(yes) => Constant::Bool(*yes),
        Literal::Long(number) => Constant::Long(*number),
        Literal::String(text) => Constant::Text(text.as_str().into()),
        Literal::EntityUID(uid) => {
            let kind = uid.entity_type().to_string().into();
            Constant::Entity(Box::new(NamedEntity { kind, uid: uid.as_ref().clone() }))
        }
    }
}

/// A set of constants is one itself.
fn set(items: Vec<Node>) -> Node {
    if !items.iter().all(|item| matches!(item, Node::Constant(_))) {
        return Node::Set(items.into());
    }
    let constants = items.into_iter().filter_map(|item| match item {
        Node::Constant(constant) => Some(constant),
        _ => None,
    });
    Node::Constant(Constant::Set(constants.collect()))
}

const fn unary(operator: UnaryOp) -> Unary {
    match operator {
        UnaryOp::Not => Unary::Not,
        UnaryOp::Neg => Unary::Negate,
        UnaryOp::IsEmpty => Unary::IsEmpty,
    }
}

const fn binary(operator: BinaryOp) -> Option<Binary> {
    Some(match operator {
        BinaryOp::Eq => Binary::Equal,
        BinaryOp::Less => Binary::Less,
        BinaryOp::LessEq => Binary::LessOrEqual,
        BinaryOp::Add => Binary::Add,
        BinaryOp::Sub => Binary::Subtract,
        BinaryOp::Mul => Binary::Multiply,
        BinaryOp::In => Binary::In,
        BinaryOp::Contains => Binary::Contains,
        BinaryOp::ContainsAll => Binary::ContainsAll,
        BinaryOp::ContainsAny => Binary::ContainsAny,
        BinaryOp::GetTag | BinaryOp::HasTag => return None,
    })
}
