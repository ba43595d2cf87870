// Package record keeps the requests of a strategy and summaries of their results, so that a run can be compared with an
// earlier one: [New] puts a [Recorder] around the application, and [Report.Diff] tells which requests got other data.
// Playing bars does not belong here; package replay does that. It is a package of its own because it links
// crypto/sha256, for the fingerprints of results.
package record
