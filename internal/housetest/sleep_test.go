// SPDX-License-Identifier: GPL-3.0-or-later

package housetest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"testing"
)

// pauses are the files with one place each where time itself is the matter.
var pauses = map[string]string{
	"bench/load/load_test.go":        "a server that stands still for so long is the fault that is measured",
	"internal/memory/memory_test.go": "the time is synctest's, and takes none",
	"test/worker_test.go":            "the worker that daemons run boots for as long as it is told",
}

// TestNoTestSleeps: a test waits for a state, never for a time, however it says
// so.
func TestNoTestSleeps(t *testing.T) {
	for _, file := range parsed(t) {
		if !file.test {
			continue
		}
		found := sleeps(file.ast)
		if reason, ok := pauses[file.path]; ok {
			if len(found) != 1 {
				t.Errorf("%s waits for a time in %d places; one is allowed, since %s", file.path, len(found), reason)
			}
			continue
		}
		for _, at := range found {
			t.Errorf("%s: a test waits for a state, never for a time", file.fset.Position(at))
		}
	}
}

// sleeps finds where nothing but time ends a wait.
func sleeps(file *ast.File) (found []token.Pos) {
	for _, d := range file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		v := &waits{made: map[string]string{}, beside: map[ast.Node]bool{}}
		ast.Inspect(fn.Body, v.learn)
		v.inspect(fn.Body, false)
		found = append(found, v.found...)
	}
	slices.Sort(found)
	return found
}

// waits is what is known of one function.
type waits struct {
	made   map[string]string // variable → the function that made it, as time.After
	beside map[ast.Node]bool // receptions in a select that something else can end
	found  []token.Pos
}

// learn takes note of variables that have to do with time, and of selects.
func (v *waits) learn(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if call, ok := n.Rhs[0].(*ast.CallExpr); ok {
			if id, ok := n.Lhs[0].(*ast.Ident); ok {
				v.made[id.Name] = called(call)
			}
		}
	case *ast.ValueSpec:
		if len(n.Values) > 0 {
			if call, ok := n.Values[0].(*ast.CallExpr); ok {
				v.made[n.Names[0].Name] = called(call)
			}
		}
	case *ast.SelectStmt:
		var ofTime []ast.Node
		for _, c := range n.Body.List {
			if r := reception(c.(*ast.CommClause).Comm); r != nil && v.ofTime(r, true) {
				ofTime = append(ofTime, r)
			}
		}
		for _, r := range ofTime {
			v.beside[r] = len(ofTime) < len(n.Body.List)
		}
	}
	return true
}

// inspect finds the waits below n, which is in a loop or not.
func (v *waits) inspect(n ast.Node, loop bool) {
	ast.Inspect(n, func(m ast.Node) bool {
		switch m := m.(type) {
		case *ast.ForStmt:
			if !loop {
				v.inspect(m.Body, true)
				return false
			}
		case *ast.RangeStmt:
			if !loop {
				v.inspect(m.Body, true)
				return false
			}
		case *ast.UnaryExpr:
			if m.Op == token.ARROW && !v.beside[m] && v.ofTime(m, loop) {
				v.found = append(v.found, m.Pos())
			}
		case *ast.CallExpr:
			if isSleep(m) {
				v.found = append(v.found, m.Pos())
			}
		}
		return true
	})
}

// ofTime tells whether time alone ends a reception. A ticker may pace a loop,
// which ends with a state.
func (v *waits) ofTime(r *ast.UnaryExpr, loop bool) bool {
	switch x := r.X.(type) {
	case *ast.CallExpr: // time.After(d), ctx.Done()
		if sel, ok := x.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Done" {
			by := v.origin(sel.X)
			return by == "context.WithTimeout" || by == "context.WithDeadline"
		}
		return called(x) == "time.After" || called(x) == "time.Tick"
	case *ast.Ident: // late
		return v.made[x.Name] == "time.After" || v.made[x.Name] == "time.Tick" && !loop
	case *ast.SelectorExpr: // timer.C
		by := v.origin(x.X)
		return x.Sel.Name == "C" && (by == "time.NewTimer" || by == "time.NewTicker" && !loop)
	}
	return false
}

// origin is the function that made a value.
func (v *waits) origin(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.Ident:
		return v.made[x.Name]
	case *ast.CallExpr:
		return called(x)
	}
	return ""
}

// reception is the <-c of a statement, if it is one.
func reception(s ast.Stmt) *ast.UnaryExpr {
	var x ast.Expr
	switch s := s.(type) {
	case *ast.ExprStmt:
		x = s.X
	case *ast.AssignStmt:
		x = s.Rhs[0]
	}
	r, _ := x.(*ast.UnaryExpr)
	return r
}

// called is the name of what a call calls, with its package.
func called(call *ast.CallExpr) string {
	if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
		if x, ok := sel.X.(*ast.Ident); ok {
			return x.Name + "." + sel.Sel.Name
		}
	}
	return ""
}

// isSleep tells whether a call sleeps, itself or by a program that it waits for.
func isSleep(call *ast.CallExpr) bool {
	switch called(call) {
	case "time.Sleep", "unix.Nanosleep", "syscall.Nanosleep":
		return true
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains([]string{"Run", "Output", "CombinedOutput"}, sel.Sel.Name) {
		return false
	}
	program, ok := sel.X.(*ast.CallExpr)
	if !ok || called(program) != "exec.Command" {
		return false
	}
	name, ok := program.Args[0].(*ast.BasicLit)
	return ok && name.Value == `"sleep"`
}

func TestSleepsAreFound(t *testing.T) {
	for _, c := range []struct {
		body string
		want int
	}{
		{"time.Sleep(d)", 1},
		{"f := func() { <-time.After(d) }; f()", 1},
		{"_ = <-time.Tick(d)", 1},
		{"select { case <-time.After(d): }", 1},
		{"select { case <-time.After(d): case <-time.Tick(d): }", 2},
		{"late := time.After(d); <-late", 1},
		{"var late <-chan time.Time = time.After(d); for { <-late }", 1},
		{"timer := time.NewTimer(d); for { <-timer.C }", 1},
		{"<-time.NewTimer(d).C", 1},
		{"tick := time.NewTicker(d); <-tick.C", 1},
		{"ctx, cancel := context.WithTimeout(t.Context(), d); defer cancel(); <-ctx.Done()", 1},
		{"unix.Nanosleep(a, b); exec.Command(\"sleep\", \"1\").Run()", 2},

		{"select { case <-time.After(d): case <-done: }", 0},
		{"select { case <-time.After(d): default: }", 0},
		{"late := time.After(d); select { case <-late: case done <- 1: }", 0},
		{"tick := time.NewTicker(d); for !ok() { <-tick.C }", 0},
		{"late := time.After(d); tick := time.NewTicker(d); for !ok() { select { case <-late: case <-tick.C: } }", 0},
		{"ctx, cancel := context.WithCancel(t.Context()); defer cancel(); <-ctx.Done()", 0},
		{"exec.Command(\"sleep\", \"1\").Start(); <-done", 0},
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "", "package p\nfunc f() {\n"+c.body+"\n}", parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(sleeps(file)); got != c.want {
			t.Errorf("%s: found %d, want %d", c.body, got, c.want)
		}
	}
}
