// Package emf writes the handful of metrics that alarms and autoscaling on AWS need as lines of CloudWatch's embedded metric
// format
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html): where a
// log driver carries the lines of a task to CloudWatch Logs, these become metrics, without an agent and without a call.
//
// It invents no figures: all come from the registry that /metrics shows. It never holds anybody up: a reader that does not take
// the lines loses some, which is said once.
package emf
