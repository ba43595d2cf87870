// Package symbols knows which symbols there are and which ranges of them are covered: it queries the catalogs of all
// stores as one, keeps the answer for single symbols, suggests similar names, and lists coverage.
//
// Bars are not read here: package describe adds the statistics.
package symbols
