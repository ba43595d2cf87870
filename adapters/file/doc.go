// Package file reads bars, trades and quotes as CSV and as NDJSON, one JSON object per line, and writes them as CSV. It
// recognizes the columns and times of common exports, reports every error with file and line, and rejects ambiguous
// input instead of guessing.
//
// A file covers everything from its first row to its last, unless a coverage file beside it says more exactly which
// ranges; see Coverage.
//
// The package contains the formats of files. It must not decide where data is stored or whether it is acceptable there,
// because that is the task of app.
package file
