/// Labels of the other metrics. They are silent unless the program bootstraps swift-metrics.
package enum StoreMetrics {}
