//! Figures: medians, and the tables in which a run prints them.

/// Returns the figure in the middle.
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    if figures.len().is_multiple_of(2) {
        return f64::midpoint(figures[middle - 1], figures[middle]);
    }
    figures[middle]
}

/// A table of a line for each round; the last is their medians, column by column.
pub struct Table {
    columns: Vec<Column>,
    rounds: Vec<Vec<f64>>,
}

/// A column's title, and how many digits it shows behind the point.
pub type Column = (&'static str, usize);

impl Table {
    /// Prints the title, so that whoever waits knows what runs.
    pub fn begin(title: &str, columns: &[Column]) -> Self {
        println!("\n## {title}\n");
        let table = Self { columns: columns.to_vec(), rounds: Vec::new() };
        let titles: Vec<_> = columns.iter().map(|(title, _)| (*title).to_owned()).collect();
        print_line("round", &titles);
        let rules: Vec<_> = columns.iter().map(|_| "---".to_owned()).collect();
        print_line("---", &rules);
        table
    }

    /// Prints a round.
    pub fn round(&mut self, figures: &[f64]) {
        self.rounds.push(figures.to_vec());
        let name = self.rounds.len().to_string();
        self.print(&name, figures);
    }

    /// Prints the medians.
    pub fn end(self) {
        let medians: Vec<f64> = (0..self.columns.len())
            .map(|column| median(self.rounds.iter().map(|round| round[column])))
            .collect();
        self.print("median", &medians);
    }

    fn print(&self, name: &str, figures: &[f64]) {
        let figures = figures.iter().zip(&self.columns);
        let texts: Vec<_> =
            figures.map(|(figure, (_, digits))| format!("{figure:.digits$}")).collect();
        print_line(name, &texts);
    }
}

fn print_line(first: &str, rest: &[String]) {
    println!("| {first} | {} |", rest.join(" | "));
}
