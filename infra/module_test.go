package infra

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// Where the modules are evaluated to be.
const (
	account = "123456789012"
	region  = "eu-central-1"
)

// resource is one instance of a resource, with its arguments evaluated.
type resource struct {
	kind, name string // aws_sqs_queue, source["events"]
	body
}

// body is the arguments and blocks of a resource or block.
type body struct {
	attributes map[string]cty.Value
	blocks     map[string][]body
}

// text returns an argument as a string; "" where it is not set.
func (b body) text(name string) string {
	v, ok := b.attributes[name]
	switch {
	case !ok || v.IsNull():
		return ""
	case v.Type() == cty.Number:
		return v.AsBigFloat().Text('f', -1)
	case v.Type() == cty.Bool:
		if v.True() {
			return "true"
		}
		return "false"
	default:
		return v.AsString()
	}
}

// only returns the block of that name, an empty one if there is none.
func (b body) only(name string) body {
	if all := b.blocks[name]; len(all) == 1 {
		return all[0]
	}
	return body{}
}

// edit replaces text of a module's file before it is read: a planted fault.
type edit struct{ file, old, new string }

// module is one directory being evaluated.
type module struct {
	t       *testing.T
	dir     string
	edits   []edit
	blocks  hclsyntax.Blocks
	scope   map[string]cty.Value            // var, local, data, module
	known   map[string]map[string]cty.Value // resources by type and name, as expressions see them
	done    []resource
	outputs map[string]cty.Value
}

// evaluate returns all resources of a module and of those it calls, and its
// outputs.
func evaluate(t *testing.T, dir string, inputs map[string]cty.Value, edits ...edit) ([]resource, map[string]cty.Value) {
	t.Helper()
	m := &module{
		t: t, dir: dir, edits: edits, scope: map[string]cty.Value{}, known: map[string]map[string]cty.Value{}, outputs: map[string]cty.Value{},
	}
	m.blocks = m.parse()
	m.scope["var"] = cty.ObjectVal(m.variables(inputs))
	m.scope["data"] = cty.ObjectVal(map[string]cty.Value{
		"aws_caller_identity": object("current", object("account_id", cty.StringVal(account))),
		"aws_region":          object("current", object("region", cty.StringVal(region))),
	})
	m.settle()
	return m.done, m.outputs
}

func object(name string, v cty.Value) cty.Value { return cty.ObjectVal(map[string]cty.Value{name: v}) }

// parse reads every file of the directory.
func (m *module) parse() hclsyntax.Blocks {
	m.t.Helper()
	files, err := filepath.Glob(filepath.Join(m.dir, "*.tf"))
	if err != nil || len(files) == 0 {
		m.t.Fatalf("%s holds no module: %v", m.dir, err)
	}
	parser := hclparse.NewParser()
	var all hclsyntax.Blocks
	for _, path := range files {
		src, err := os.ReadFile(path)
		if err != nil {
			m.t.Fatal(err)
		}
		text := string(src)
		for _, e := range m.edits {
			if strings.HasSuffix(filepath.ToSlash(path), e.file) {
				if !strings.Contains(text, e.old) {
					m.t.Fatalf("%s does not hold %q", path, e.old)
				}
				text = strings.Replace(text, e.old, e.new, 1)
			}
		}
		file, diags := parser.ParseHCL([]byte(text), path)
		if diags.HasErrors() {
			m.t.Fatal(diags)
		}
		content, ok := file.Body.(*hclsyntax.Body)
		if !ok {
			m.t.Fatalf("%s is not HCL's native syntax", path)
		}
		all = append(all, content.Blocks...)
	}
	return all
}

// variables returns the inputs, and defaults where there is none.
func (m *module) variables(inputs map[string]cty.Value) map[string]cty.Value {
	m.t.Helper()
	values := map[string]cty.Value{}
	for _, b := range m.blocks {
		if b.Type != "variable" {
			continue
		}
		name := b.Labels[0]
		if v, given := inputs[name]; given {
			values[name] = v
			continue
		}
		preset, ok := b.Body.Attributes["default"]
		if !ok {
			m.t.Fatalf("%s: variable %s has no default and is not given", m.dir, name)
		}
		v, diags := preset.Expr.Value(nil)
		if diags.HasErrors() {
			m.t.Fatal(diags)
		}
		values[name] = v
	}
	for name := range inputs {
		if _, declared := values[name]; !declared {
			m.t.Errorf("%s: there is no variable %s", m.dir, name)
		}
	}
	return values
}

// settle evaluates blocks whose references are known until none is left.
func (m *module) settle() {
	m.t.Helper()
	open := slices.DeleteFunc(slices.Clone(m.blocks), func(b *hclsyntax.Block) bool {
		return b.Type != "locals" && b.Type != "resource" && b.Type != "module" && b.Type != "output"
	})
	for len(open) > 0 {
		var left hclsyntax.Blocks
		var last error
		for _, b := range open {
			if err := m.block(b); err != nil {
				left, last = append(left, b), err
			}
		}
		if len(left) == len(open) {
			m.t.Fatalf("%s: %v", m.dir, last)
		}
		open = left
	}
}

// block evaluates one block of the top level, or fails for now.
func (m *module) block(b *hclsyntax.Block) error {
	switch b.Type {
	case "locals":
		got, err := m.arguments(b.Body, nil)
		if err != nil {
			return err
		}
		m.scope["local"] = cty.ObjectVal(got.attributes)
	case "output":
		v, diags := b.Body.Attributes["value"].Expr.Value(m.context(nil))
		if diags.HasErrors() {
			return diags
		}
		m.outputs[b.Labels[0]] = v
	case "module":
		return m.call(b)
	case "resource":
		return m.resource(b.Labels[0], b.Labels[1], b.Body)
	}
	return nil
}

func (m *module) call(b *hclsyntax.Block) error {
	got, err := m.arguments(b.Body, nil)
	if err != nil {
		return err
	}
	dir := filepath.Join(m.dir, got.text("source"))
	delete(got.attributes, "source")
	resources, outputs := evaluate(m.t, dir, got.attributes, m.edits...)
	m.done = append(m.done, resources...)
	all := map[string]cty.Value{b.Labels[0]: cty.ObjectVal(outputs)}
	if now, ok := m.scope["module"]; ok {
		maps.Copy(all, now.AsValueMap())
	}
	m.scope["module"] = cty.ObjectVal(all)
	return nil
}

// resource evaluates a resource, for_each included.
func (m *module) resource(kind, name string, src *hclsyntax.Body) error {
	var instances []resource
	var value cty.Value
	each, many := src.Attributes["for_each"]
	if many {
		over, diags := each.Expr.Value(m.context(nil))
		if diags.HasErrors() {
			return diags
		}
		values := map[string]cty.Value{}
		for it := over.ElementIterator(); it.Next(); {
			key, v := it.Element()
			got, err := m.arguments(src, map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{"key": key, "value": v})})
			if err != nil {
				return err
			}
			instances = append(instances, resource{kind, fmt.Sprintf("%s[%q]", name, key.AsString()), got})
			values[key.AsString()] = exported(kind, got)
		}
		value = cty.ObjectVal(values)
	} else {
		got, err := m.arguments(src, nil)
		if err != nil {
			return err
		}
		instances, value = []resource{{kind, name, got}}, exported(kind, got)
	}
	m.done = append(m.done, instances...)
	if m.known[kind] == nil {
		m.known[kind] = map[string]cty.Value{}
	}
	m.known[kind][name] = value
	return nil
}

// exported is what expressions see of a resource: its arguments, and what AWS
// makes of its name.
func exported(kind string, b body) cty.Value {
	values := map[string]cty.Value{}
	maps.Copy(values, b.attributes)
	name := b.text("name")
	arn := func(service, resource string) cty.Value {
		return cty.StringVal("arn:aws:" + service + ":" + region + ":" + account + ":" + resource)
	}
	switch kind {
	case "aws_sqs_queue":
		values["arn"], values["url"] = arn("sqs", name), cty.StringVal("https://sqs."+region+".amazonaws.com/"+account+"/"+name)
	case "aws_sns_topic":
		values["arn"] = arn("sns", name)
	case "aws_dynamodb_table":
		values["arn"] = arn("dynamodb", "table/"+name)
	case "aws_s3_bucket":
		values["id"], values["arn"] = b.attributes["bucket"], cty.StringVal("arn:aws:s3:::"+b.text("bucket"))
	}
	return cty.ObjectVal(values)
}

func (m *module) arguments(src *hclsyntax.Body, extra map[string]cty.Value) (body, error) {
	out := body{attributes: map[string]cty.Value{}, blocks: map[string][]body{}}
	ctx := m.context(extra)
	for name, a := range src.Attributes {
		if name == "for_each" {
			continue
		}
		v, diags := a.Expr.Value(ctx)
		if diags.HasErrors() {
			return body{}, diags
		}
		out.attributes[name] = v
	}
	for _, b := range src.Blocks {
		inner, err := m.arguments(b.Body, extra)
		if err != nil {
			return body{}, err
		}
		out.blocks[b.Type] = append(out.blocks[b.Type], inner)
	}
	return out, nil
}

func (m *module) context(extra map[string]cty.Value) *hcl.EvalContext {
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{}, Functions: map[string]function.Function{
		"jsonencode": stdlib.JSONEncodeFunc, "coalesce": stdlib.CoalesceFunc, "lookup": stdlib.LookupFunc,
	}}
	maps.Copy(ctx.Variables, m.scope)
	for kind, named := range m.known {
		ctx.Variables[kind] = cty.ObjectVal(named)
	}
	maps.Copy(ctx.Variables, extra)
	return ctx
}
