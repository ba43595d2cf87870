// Package arch has the rules on who may import whom, as data with their reasons, and the tests that prove them over the
// source as it stands. It also proves that every package and every exported name has a comment, and every package that
// a program imports an Example. The rules are statements of policy: a build that breaks one is mended, not the rule.
package arch
