package main

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// How the code uses a constant, the most telling first.
const (
	useCompared = iota // a case, a map key, an operand of == or <, an argument of strings.HasPrefix
	useOrdinary
	useMessage // an argument of fmt.Errorf and the like, or one of very many in a table
)

// largeTable is the number of elements from which a literal counts as a table: one polynomial table
// would fill a dictionary. A guess.
const largeTable = 64

// maxString is the longest string kept, in bytes.
const maxString = 128

var (
	// comparing are functions and methods whose arguments are looked for in the input.
	comparing = set("HasPrefix HasSuffix Equal EqualFold Contains ContainsAny ContainsRune Index " +
		"IndexAny IndexByte IndexRune LastIndex LastIndexByte Compare Count Cut CutPrefix CutSuffix " +
		"Split SplitN SplitAfter TrimPrefix TrimSuffix Trim TrimLeft TrimRight Replace ReplaceAll " +
		"NewReplacer MustCompile Get Lookup")
	// telling are functions and methods whose arguments are read by people.
	telling = set("Error Errorf Fatal Fatalf Fatalln Log Logf Skip Skipf Print Printf Println " +
		"Fprintf Fprintln Panic Panicf panic Debug Debugf Info Infof Warn Warnf Warning Warningf " +
		"New NewError Wrap Wrapf")
)

func set(words string) map[string]bool {
	members := make(map[string]bool)
	for _, word := range strings.Fields(words) {
		members[word] = true
	}
	return members
}

// collector gathers the constants of the files it is walked over.
type collector struct {
	info *types.Info
	tier int     // of the file being walked
	max  int     // constants kept
	all  []found // in the order of the sources
	path []ast.Node
}

// walk collects the constants of one file.
func (c *collector) walk(file *ast.File) {
	c.path = c.path[:0]
	ast.Inspect(file, func(n ast.Node) bool {
		if n == nil {
			c.path = c.path[:len(c.path)-1]
			return true
		}
		// Inspect calls with nil only after a node whose children it was told to visit.
		descend := len(c.all) < c.max && c.visit(n)
		if descend {
			c.path = append(c.path, n)
		}
		return descend
	})
}

// visit takes in one node and reports whether its children are to be visited.
func (c *collector) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ImportSpec:
		return false
	case *ast.Field:
		if n.Tag != nil {
			c.addTag(n.Tag.Value)
		}
	case *ast.ValueSpec:
		for _, name := range n.Names {
			if defined, ok := c.info.Defs[name].(*types.Const); ok {
				c.add(defined.Val(), defined.Type(), useOrdinary)
			}
		}
	case *ast.CompositeLit:
		c.addBytes(n)
	case *ast.BasicLit:
		if n == c.tag() {
			return false
		}
		if n.Kind == token.CHAR {
			c.addRune(n)
		}
	}
	expr, ok := n.(ast.Expr)
	if !ok {
		return true
	}
	value, typ := c.info.Types[expr].Value, c.info.Types[expr].Type
	if literal, ok := n.(*ast.BasicLit); ok && value == nil {
		value = constant.MakeFromLiteral(literal.Value, literal.Kind, 0)
	}
	if value == nil {
		return true
	}
	c.add(value, typ, c.use(expr))
	return false
}

// tag returns the tag of the field that is being walked, nil outside of fields.
func (c *collector) tag() *ast.BasicLit {
	if len(c.path) > 0 {
		if field, ok := c.path[len(c.path)-1].(*ast.Field); ok {
			return field.Tag
		}
	}
	return nil
}

// use says how expr, a child of the last node of the path, is used.
func (c *collector) use(expr ast.Expr) int {
	for i := len(c.path) - 1; i >= 0; i-- {
		switch parent := c.path[i].(type) {
		case *ast.ParenExpr:
			continue
		case *ast.CaseClause, *ast.IndexExpr:
			return useCompared
		case *ast.BinaryExpr:
			switch parent.Op {
			case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
				return useCompared
			}
		case *ast.KeyValueExpr:
			if parent.Key == expr && c.isMap(i-1) {
				return useCompared
			}
		case *ast.CompositeLit:
			if len(parent.Elts) >= largeTable && !c.isMap(i) {
				return useMessage
			}
		case *ast.CallExpr:
			if name := called(parent); comparing[name] {
				return useCompared
			} else if telling[name] {
				return useMessage
			}
			// A conversion, or bytes.Equal(x, []byte("...")): what is around it decides.
			continue
		case ast.Stmt, *ast.ValueSpec, *ast.FuncLit:
			return useOrdinary
		}
	}
	return useOrdinary
}

// isMap reports whether path[i] is a literal of a map, as far as one can tell.
func (c *collector) isMap(i int) bool {
	if i < 0 {
		return false
	}
	literal, ok := c.path[i].(*ast.CompositeLit)
	if !ok {
		return false
	}
	if _, ok := literal.Type.(*ast.MapType); ok {
		return true
	}
	typ := c.info.Types[literal].Type
	if typ == nil || typ == types.Typ[types.Invalid] {
		// A type of another package, such as http.Header; field names are no constants anyway.
		_, ok = literal.Type.(*ast.SelectorExpr)
		return ok
	}
	_, ok = typ.Underlying().(*types.Map)
	return ok
}

// called returns the last name of what is called, "" when it has none.
func called(call *ast.CallExpr) string {
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		return fun.Name
	case *ast.SelectorExpr:
		return fun.Sel.Name
	}
	return ""
}

// add keeps a constant if its kind is of use.
func (c *collector) add(value constant.Value, typ types.Type, use int) {
	width, float := sizeOf(typ)
	switch value.Kind() {
	case constant.String:
		c.addString(constant.StringVal(value), use)
	case constant.Int:
		if float {
			c.addFloat(value, width, use)
			return
		}
		_, signed := constant.Int64Val(value)
		_, unsigned := constant.Uint64Val(value)
		if signed || unsigned {
			c.keep(found{Kind: "int", Text: []byte(value.ExactString()), Width: width, Use: use})
		}
	case constant.Float:
		c.addFloat(value, width, use)
	}
}

func (c *collector) addString(text string, use int) {
	if 2 <= len(text) && len(text) <= maxString {
		c.keep(found{Kind: "string", Text: []byte(text), Use: use})
	}
}

// addRune keeps a character outside of ASCII as the text it is in UTF-8.
func (c *collector) addRune(literal *ast.BasicLit) {
	if text, err := strconv.Unquote(literal.Value); err == nil {
		c.addString(text, c.use(literal))
	}
}

func (c *collector) addFloat(value constant.Value, width, use int) {
	double, _ := constant.Float64Val(value)
	single, _ := constant.Float32Val(value)
	bits := []uint64{math.Float64bits(double), uint64(math.Float32bits(single))}
	text := strconv.AppendFloat(nil, double, 'g', -1, 64)
	c.keep(found{Kind: "float", Text: text, Width: width, Use: use, Bits: bits})
}

func (c *collector) keep(f found) {
	if len(c.all) == c.max {
		return
	}
	f.Tier = c.tier
	c.all = append(c.all, f)
}

// addBytes keeps a literal of constant bytes ([]byte{0x89, 'P', 'N', 'G'}) as one string.
func (c *collector) addBytes(literal *ast.CompositeLit) {
	if len(literal.Elts) < 2 || len(literal.Elts) > maxString {
		return
	}
	list, ok := literal.Type.(*ast.ArrayType)
	if !ok {
		return
	}
	if name, ok := list.Elt.(*ast.Ident); !ok || name.Name != "byte" && name.Name != "uint8" {
		return
	}
	text := make([]byte, 0, len(literal.Elts))
	for _, element := range literal.Elts {
		value := c.info.Types[element].Value
		if value == nil || value.Kind() != constant.Int {
			return
		}
		number, exact := constant.Int64Val(value)
		if !exact || number < 0 || number > 255 {
			return
		}
		text = append(text, byte(number))
	}
	c.addString(string(text), c.use(literal))
}

// addTag keeps the names in a struct tag: `json:"name,omitempty" xml:"other>name"`.
func (c *collector) addTag(quoted string) {
	text, err := strconv.Unquote(quoted)
	if err != nil {
		return
	}
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		key, rest, ok := strings.Cut(text, ":")
		if !ok {
			return
		}
		value := reflect.StructTag(text).Get(key)
		name, _, _ := strings.Cut(value, ",")
		for _, part := range strings.Split(name, ">") {
			c.addString(part, useCompared)
		}
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			return
		}
		text = rest[len(quoted):]
	}
}

// sizeOf returns the bytes of a number of this type, 0 for int, uint and what is not known, and
// whether it is a floating-point type.
func sizeOf(typ types.Type) (width int, float bool) {
	if typ == nil {
		return 0, false
	}
	basic, ok := typ.Underlying().(*types.Basic)
	if !ok {
		return 0, false
	}
	switch basic.Kind() {
	case types.Int8, types.Uint8:
		return 1, false
	case types.Int16, types.Uint16:
		return 2, false
	case types.Int32, types.Uint32, types.UntypedRune:
		return 4, false
	case types.Int64, types.Uint64:
		return 8, false
	case types.Float32:
		return 4, true
	case types.Float64:
		return 8, true
	case types.UntypedFloat:
		return 0, true
	}
	return 0, false
}
