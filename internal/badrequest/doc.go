// Package badrequest has requests that a server has to refuse, and what it has to
// answer: those in testdata/malformed, one file for each part of the API. The tests of
// package httpserver and of the real binary send the same ones.
//
// # The files
//
// A file is a JSON array of [Case]. In a case's path, headers, body and raw request
//
//   - {job} and the like stand for what the test has made ([Fixture]),
//   - {base} stands for the base path, and {auth} for the header with the root key,
//   - {valid} stands for the members of a job that is valid by itself,
//   - {500*é*} stands for the text, 500 times,
//   - {x:ff} stands for the byte, or for several: what JSON cannot hold.
package badrequest
