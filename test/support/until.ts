export { until } from '../../lab/until.ts'
