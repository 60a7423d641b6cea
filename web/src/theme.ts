/** The theme that was chosen in this browser; without one the system's. */
export type Theme = 'system' | 'light' | 'dark';

const name = 'belfry-theme';

export function theme(): Theme {
  const t = localStorage.getItem(name);
  return t === 'light' || t === 'dark' ? t : 'system';
}

export function setTheme(t: Theme): void {
  localStorage.setItem(name, t);
  apply();
}

function apply(): void {
  document.documentElement.dataset.theme = theme();
}

apply();
