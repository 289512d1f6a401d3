// SPDX-License-Identifier: GPL-3.0-or-later

// Package housetest holds the rules of the house as tests: who may import
// whom, how long a file may get, which licence a directory has, what the
// documents say about the options. There is nothing else in it.
//
//   - tree.go reads the module's files.
//   - imports_test.go: who may import whom, each ban with its reason.
//   - size_test.go: what the daemon links.
//   - code_test.go: length, words, panics, tickers.
//   - sleep_test.go: time in tests.
//   - licence_test.go: the header of each file.
//   - docs_test.go: options and links in README and docs.
//   - manuals_test.go: the form of man pages, and what they refer to.
//
// A rule that has become wrong is changed here and in docs/design.md, in the
// same commit as the code that breaks it.
package housetest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// root is the module's directory, as seen from this one.
const root = "../.."

// module is the module's path.
const module = "einhyrningsins"

// goFile is one parsed Go file, for whatever system it is.
type goFile struct {
	path  string // from root, with slashes
	dir   string
	test  bool
	lines int
	fset  *token.FileSet
	ast   *ast.File
}

// skipDir tells directories that are no part of the source.
func skipDir(path string) bool {
	switch path {
	case ".git", "build", "tools":
		return true
	}
	return filepath.Base(path) == "__pycache__"
}

// files returns the paths from root of all source files that keep accepts.
func files(keep func(path string) bool) ([]string, error) {
	var list []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() && skipDir(rel) {
			return filepath.SkipDir
		}
		if d.Type().IsRegular() && keep(rel) {
			list = append(list, rel)
		}
		return nil
	})
	return list, err
}

// goFiles parses all Go files of the module, once.
var goFiles = sync.OnceValues(func() ([]goFile, error) {
	paths, err := files(func(path string) bool { return strings.HasSuffix(path, ".go") })
	if err != nil {
		return nil, err
	}
	var list []goFile
	for _, path := range paths {
		source, err := read(path)
		if err != nil {
			return nil, err
		}
		f := goFile{path: path, fset: token.NewFileSet(), test: strings.HasSuffix(path, "_test.go"), lines: strings.Count(source, "\n")}
		f.dir = filepath.ToSlash(filepath.Dir(path))
		f.ast, err = parser.ParseFile(f.fset, path, source, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	return list, nil
})

// read returns the text of a file of the module.
func read(path string) (string, error) {
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
	return string(b), err
}
