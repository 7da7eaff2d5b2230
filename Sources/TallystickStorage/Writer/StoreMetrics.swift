/// What the other measures of swift-metrics are called. They are silent unless the program sets swift-metrics up.
package enum StoreMetrics {}
