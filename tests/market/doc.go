// Package market drives a small market through every store at once and compares all results with a model of at most 200
// lines, which knows how trades make bars and which stores have which of them, and nothing of the module. The model must
// not import it.
package market
