# Alarms and autoscaling on the metrics that the services write with BELFRY_EMF=true (docs/aws.md). `go test ./infra/...` holds their
# names, units and dimensions to those that the programs write.

locals {
  namespace = "Belfry"

  # What goes off, and after how many minutes. A task that is gone writes nothing, and that is an alarm too.
  alarms = {
    "OldestOpenSeconds" = {
      statistic = "Maximum"
      threshold = var.oldest_open_seconds
      minutes   = 5
      missing   = "breaching"
      say       = "The oldest notification that waits for Belfry itself was accepted too long ago, or no ingest runs: belfry status says what waits, and why."
    }
    "DeadLetters" = {
      statistic = "Maximum"
      threshold = var.dead_letters
      minutes   = 1
      missing   = "breaching"
      say       = "Dead letters wait for an operator: dlq-replayer groups says what they have in common."
    }
    "BreakersOpen" = {
      statistic = "Maximum"
      threshold = 0
      minutes   = 5
      missing   = "breaching"
      say       = "A dispatcher sends nothing with a credential, because FCM fails or refuses it, or no dispatcher runs: belfry status says which, and why."
    }
    "AcceptErrors" = {
      statistic = "Sum"
      threshold = var.accept_errors
      minutes   = 1
      missing   = "notBreaching"
      say       = "Requests to send are answered with server errors: belfry status says which store or queue is away."
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "belfry" {
  for_each = local.alarms

  alarm_name          = "${var.prefix}-${each.key}"
  alarm_description   = each.value.say
  namespace           = local.namespace
  metric_name         = each.key
  dimensions          = { Installation = var.prefix }
  statistic           = each.value.statistic
  period              = 60
  evaluation_periods  = each.value.minutes
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = var.tags
}

# As many dispatchers as it takes to work off each lane within its seconds. What is delayed, as behind an open breaker, is not in
# the backlog: more tasks would not send it. Nor can they send more than FCM's quota: dispatcher_tasks.most bounds that.
resource "aws_appautoscaling_target" "dispatcher" {
  for_each = var.dispatcher_service == null ? {} : { dispatcher = var.dispatcher_service }

  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = each.value
  min_capacity       = var.dispatcher_tasks.least
  max_capacity       = var.dispatcher_tasks.most
}

resource "aws_appautoscaling_policy" "backlog" {
  for_each = var.dispatcher_service == null ? {} : var.backlog_seconds

  name               = "${var.prefix}-${each.key}-backlog"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = var.dispatcher_service
  depends_on         = [aws_appautoscaling_target.dispatcher]

  target_tracking_scaling_policy_configuration {
    target_value       = each.value
    scale_out_cooldown = 60
    scale_in_cooldown  = 300

    customized_metric_specification {
      namespace   = local.namespace
      metric_name = "BacklogSecondsPerTask"
      statistic   = "Maximum"
      unit        = "Seconds"

      dimensions {
        name  = "Installation"
        value = var.prefix
      }

      dimensions {
        name  = "Queue"
        value = each.key
      }
    }
  }
}
