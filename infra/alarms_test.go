package infra

import (
	"slices"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/belfry-push/belfry/internal/adapter/emf"
	"github.com/belfry-push/belfry/internal/push"
)

// alarms evaluates the module of alarms and autoscaling for an installation called shop.
func alarms(t *testing.T, edits ...edit) []resource {
	t.Helper()
	resources, _ := evaluate(t, "modules/alarms", map[string]cty.Value{
		"prefix": cty.StringVal("shop"), "dispatcher_service": cty.StringVal("service/shop/dispatcher"),
		"alarm_actions": cty.ListVal([]cty.Value{cty.StringVal("arn:aws:sns:eu-central-1:123456789012:on-call")}),
	}, edits...)
	return resources
}

// misnamed names everything in which alarms and scaling ask for something that no program writes, and each metric that nothing
// asks for.
func misnamed(resources []resource) (faults []string) {
	asked := map[string]bool{}
	check := func(of string, b body, dimensions map[string]string) {
		at := slices.IndexFunc(emf.Metrics(), func(m emf.Metric) bool { return m.Name == b.text("metric_name") })
		if at < 0 {
			faults = append(faults, of+": no program writes "+b.text("metric_name"))
			return
		}
		m := emf.Metrics()[at]
		asked[m.Name] = true
		if b.text("namespace") != emf.Namespace || b.text("statistic") != m.Statistic || b.text("unit") != "" && b.text("unit") != m.Unit {
			faults = append(faults, of+": another namespace, statistic or unit than "+m.Name+" has")
		}
		if len(dimensions) != len(m.Dimensions) {
			faults = append(faults, of+": other dimensions than "+m.Name+" has")
		}
		for _, name := range m.Dimensions {
			want := map[string]bool{"shop": name == emf.DimensionInstallation}
			if name == emf.DimensionQueue {
				for _, q := range push.Queues() {
					want[q] = true
				}
			}
			if !want[dimensions[name]] {
				faults = append(faults, of+": no program writes "+name+"="+dimensions[name])
			}
		}
	}
	for _, r := range resources {
		switch r.kind {
		case "aws_cloudwatch_metric_alarm":
			dimensions := map[string]string{}
			for name, v := range r.attributes["dimensions"].AsValueMap() {
				dimensions[name] = v.AsString()
			}
			check(r.text("alarm_name"), r.body, dimensions)
			if !told(r) {
				faults = append(faults, r.text("alarm_name")+" tells nobody")
			}
		case "aws_appautoscaling_policy":
			by := r.only("target_tracking_scaling_policy_configuration").only("customized_metric_specification")
			dimensions := map[string]string{}
			for _, d := range by.blocks["dimensions"] {
				dimensions[d.text("name")] = d.text("value")
			}
			check(r.text("name"), by, dimensions)
		}
	}
	for _, m := range emf.Metrics() {
		if !asked[m.Name] {
			faults = append(faults, "nothing asks for "+m.Name)
		}
	}
	return faults
}

// TestAlarmsAskForWhatIsWritten holds the module of alarms to the metrics of --emf, and wants a fault that is planted to be found.
func TestAlarmsAskForWhatIsWritten(t *testing.T) {
	t.Parallel()
	for _, fault := range misnamed(alarms(t)) {
		t.Error(fault)
	}
	for _, e := range []edit{
		{"alarms/main.tf", `"DeadLetters" = {`, `"DeadLetterCount" = {`},
		{"alarms/main.tf", `dimensions          = { Installation = var.prefix }`, `dimensions          = { Prefix = var.prefix }`},
		{"alarms/main.tf", `metric_name = "BacklogSecondsPerTask"`, `metric_name = "BacklogPerTask"`},
		{"alarms/main.tf", `name  = "Queue"`, `name  = "Lane"`},
		{"alarms/main.tf", `namespace = "Belfry"`, `namespace = "belfry"`},
		{"alarms/variables.tf", `"deliveries-bulk" = 300`, `"bulk" = 300`},
		{"alarms/main.tf", `alarm_actions       = var.alarm_actions`, `alarm_actions       = []`},
	} {
		if len(misnamed(alarms(t, e))) == 0 {
			t.Errorf("%s for %s was not found", e.new, e.old)
		}
	}
	scaled := 0
	for _, r := range complete(t) {
		if r.kind == "aws_appautoscaling_policy" {
			scaled++
		}
	}
	if scaled > 0 {
		t.Error("the example scales a service that nobody named")
	}
}
