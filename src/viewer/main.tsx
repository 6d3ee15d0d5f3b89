import 'uplot/dist/uPlot.min.css';
import './style.css';
import { render } from 'preact';
import { App } from './app.tsx';
import { listenForKeys } from './keys.ts';
import { watchTraces } from './traces.ts';

listenForKeys();
watchTraces();
render(<App />, document.getElementById('app')!);
