// Package file reads and writes bars as CSV. It recognises the columns and the times of common exports, gives every error its file
// and line, and refuses whatever can be read in two ways: it never guesses.
//
// What is in a file lives here; where the bars go, and which of them may go there, is the application's.
package file
