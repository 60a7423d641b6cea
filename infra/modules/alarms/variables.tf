variable "prefix" {
  description = "What the names of all resources begin with; BELFRY_AWS_PREFIX of the services, which is the dimension Installation of their metrics."
  type        = string
  default     = "belfry"
}

variable "alarm_actions" {
  description = "ARNs that are told when an alarm goes off and when it is over, such as an SNS topic of your on-call rotation."
  type        = list(string)
  default     = []
}

variable "oldest_open_seconds" {
  description = "How long ago the oldest notification that is paused by nobody may have been accepted. A batch takes its time: a million recipients about two minutes."
  type        = number
  default     = 1800
}

variable "dead_letters" {
  description = "How many dead letters may wait for an operator."
  type        = number
  default     = 0
}

variable "accept_errors" {
  description = "How many requests to send may be answered with a server error in a minute."
  type        = number
  default     = 10
}

variable "dispatcher_service" {
  description = "The ECS service of the dispatchers, as service/CLUSTER/SERVICE; null for no autoscaling."
  type        = string
  default     = null
}

variable "dispatcher_tasks" {
  description = "How few and how many dispatchers may run. More than FCM's quota divided by what one sends do nothing."
  type        = object({ least = number, most = number })
  default     = { least = 2, most = 10 }
}

variable "backlog_seconds" {
  description = "Within how many seconds the tasks that run shall work off what lies ready, by queue."
  type        = map(number)
  default     = { "deliveries-high" = 5, "deliveries-bulk" = 300, "notifications" = 30 }
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
  default     = {}
}
