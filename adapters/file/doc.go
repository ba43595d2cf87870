// Package file reads and writes bars, trades and quotes as CSV. It recognises the columns and the times of common exports, gives every error its file
// and line, and refuses whatever can be read in two ways: it never guesses.
//
// What is in a file lives here; where it goes, and what of it may go there, is the application's.
package file
